"""The disk of PostgreSQL is full: callers are told so, sending stops, and with room all goes on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from api.commands.migrate import migrate
from api.services.pair import Pair
from tests.chaos.stage import Stage, open_stage
from tests.deadlines import wait_until
from tests.fixtures.sandbox import Sandbox

_DEVICES = 2_000
_SIZE_MB = 128
_MESSAGE: dict[str, Any] = {
    "to": {"all": True}, "content": {"title": "x" * 900}, "send_at": "2099-01-01T00:00:00Z"
}  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of this test alone."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={_SIZE_MB}m,mode=0777", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this container may not mount a file system")
    yield folder
    # Lazily: the server that has files open there ends after this.
    subprocess.run(("umount", "-l", str(folder)), check=True)


@pytest.fixture
def stage(own_pair: Pair, disk: Path, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
    """A platform whose database lies on the small disk, and the log of PostgreSQL elsewhere."""
    _move(own_pair, disk)
    migrate(own_pair.database_url)
    with open_stage(own_pair.urls, sandbox, tmp_path) as made:
        yield made


def _move(pair: Pair, disk: Path) -> None:
    for folder in (disk, *disk.parents):
        # The servers' account is another one.
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    space = disk / "space"
    space.mkdir()
    owner = Path(f"/proc/{pair.postgres.pid}").stat()
    os.chown(space, owner.st_uid, owner.st_gid)
    url = make_url(pair.postgres.url("template1"))
    name = make_url(pair.database_url).database
    with psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname="template1", autocommit=True
    ) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
        connection.execute(f"ALTER DATABASE {name} SET TABLESPACE small".encode())


def fill(disk: Path) -> Path:
    """Leave no room on the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return filler


def send_until_refused(stage: Stage) -> tuple[int, Any]:
    """Store messages until there is no room; return how many were taken, and the refusal."""
    for taken in range(2_000):
        answer = stage.scene.http.post("/v1/messages", json=_MESSAGE)
        if answer.status_code != 202:
            return taken, answer
    raise AssertionError("the disk is not full")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_full_disk_stops_sending_and_loses_nobody(stage: Stage, disk: Path) -> None:
    stage.add_devices(_DEVICES)
    stage.scene.sandbox.control.profile(latency={"p50": 150, "p99": 400, "max": 600})
    worker = stage.crew.start()
    message_id = stage.send(rate_per_second=250)
    stage.wait_accepted(200)

    filler = fill(disk)
    taken, refused = send_until_refused(stage)
    # As long as what is in hand can not be recorded, nothing more of it is sent.
    stopped = _wait_still(stage)
    during = stage.scene.read(message_id)
    filler.unlink()
    books = stage.wait_end(message_id, 120)
    stored = stage.scene.scalar("SELECT count(*) FROM message") - 1

    assert refused.status_code == 503, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "unavailable"
    assert "no room left on its disk" in refused.json()["detail"]
    assert "Nothing was changed" in refused.json()["detail"]
    assert during["finished_at"] is None
    assert stopped < _DEVICES
    assert stored == taken
    counts = books.message["counts"]
    assert counts["accepted"] + counts["unknown"] == books.message["targeted"] == _DEVICES
    assert counts["unknown"] <= stage.scene.settings.in_doubt_limit
    assert books.duplicates == 0
    assert stage.scene.http.post("/v1/messages", json=_MESSAGE).status_code == 202
    worker.terminate(15)


def _wait_still(stage: Stage) -> int:
    """Wait until the gateways have seen nothing new for longer than a lease; return how many."""
    seen = [-1, 0]
    lease = stage.scene.settings.lease_seconds

    def is_still() -> bool:
        accepted = stage.accepted()
        seen[1] = seen[1] + 1 if accepted == seen[0] else 0
        seen[0] = accepted
        return seen[1] >= 2 and _seconds_since_arrival(stage) > lease + 1

    wait_until(is_still, 60, "nothing is sent any more")
    return seen[0]


def _seconds_since_arrival(stage: Stage) -> float:
    last = float(stage.scene.sandbox.control.stats()["last_arrival"])
    return float(stage.scene.scalar("SELECT extract(epoch FROM clock_timestamp())")) - last
