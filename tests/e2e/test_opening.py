"""Opening a window when something else breaks: its recipients are never lost sight of."""

import psycopg
import pytest
from psycopg.errors import ConnectionTimeout
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from campaigns.preparer import TemplatePreparer
from delivery.chunks import repository
from delivery.chunks.chunk import Lease
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.opener import Opener
from delivery.engine.openings import Bounds, Openings
from delivery.engine.repository import read_window, split
from delivery.pacing.gcra import HORIZON_SECONDS
from delivery.pacing.limits import Limits, PacingRules
from delivery.pacing.pacer import Pacer
from delivery.pacing.ramp import Ramp
from delivery.pacing.redis_permits import RedisPermits
from delivery.push import Provider
from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene


def add_phones(scene: Scene, count: int) -> None:
    common = {"provider": "fcm", "kind": "token", "platform": "android", "permission": "granted"}
    devices = [
        {**common, "installation_id": f"inst-{serial:06}", "token": fcm_token("accepted", serial)}
        for serial in range(count)
    ]
    for start in range(0, count, 1_000):
        scene.post("/v1/devices/batch", {"devices": devices[start : start + 1_000]})


def claim_one(scene: Scene, count: int = 3) -> OpenChunk:
    add_phones(scene, count)
    scene.post("/v1/messages", {"to": {"all": True}, "content": {"title": "Hello"}})
    scene.duties.cut_due()
    with scene.database.begin() as connection:
        owner = repository.Owner("transactional", "test", 60)
        lease, *_ = repository.claim(connection, owner, repository.Hands(), limit=5)
    return OpenChunk(lease, 60.0)


def test_recipients_return_when_the_credential_can_not_be_read(scene: Scene) -> None:
    def unreadable(_lease: Lease) -> Provider:
        raise OperationalError("SELECT", {}, ConnectionTimeout())

    chunk = claim_one(scene)
    opener = Opener(
        scene.database,
        TemplatePreparer(scene.database),
        Limits(PacingRules(600_000, 0.1), Ramp(scene.database, 0)),
        Pacer(scene.database, RedisPermits.open(scene.settings.require_redis_url(), "test:")),
    )

    with pytest.raises(OperationalError):
        Openings(opener, unreadable).start(chunk, Bounds(2, 2, HORIZON_SECONDS))

    assert list(chunk.queue) == [0, 1, 2]
    assert chunk.next is None


def test_a_window_reads_its_own_devices_only_whatever_the_planner_knows(scene: Scene) -> None:
    chunk = claim_one(scene, 2_000)

    with scene.database.connect() as connection:
        before = rows_read(connection)
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        _, found = read_window(driver, chunk.lease, range(20))
        after = rows_read(connection)

    assert len(split(found)[0]) == 20
    assert {table: after[table] - before[table] for table in after} == {"device": 20, "target": 20}


def rows_read(connection: Connection) -> dict[str, int]:
    found = connection.execute(
        text(
            "SELECT relname, seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables "
            "WHERE relname IN ('device', 'target')"
        )
    )
    return {one.relname: one.rows for one in found}
