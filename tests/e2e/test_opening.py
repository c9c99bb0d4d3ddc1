"""Opening a window when something else breaks: its recipients are never lost sight of."""

import pytest
from psycopg.errors import ConnectionTimeout
from sqlalchemy.exc import OperationalError

from campaigns.preparer import TemplatePreparer
from delivery.chunks import repository
from delivery.chunks.chunk import Lease
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.opener import Opener
from delivery.push import Provider
from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene


def claim_one(scene: Scene) -> OpenChunk:
    for serial in range(3):
        scene.add_device(None, fcm_token("accepted", serial))
    scene.post("/v1/messages", {"to": {"all": True}, "content": {"title": "Hello"}})
    scene.duties.cut_due()
    with scene.database.begin() as connection:
        (lease,) = repository.claim(connection, "transactional", "test", lease_seconds=60, limit=5)
    return OpenChunk(lease, 60.0)


def test_recipients_return_when_the_credential_can_not_be_read(scene: Scene) -> None:
    def unreadable(_lease: Lease) -> Provider:
        raise OperationalError("SELECT", {}, ConnectionTimeout())

    chunk = claim_one(scene)
    opener = Opener(scene.database, TemplatePreparer(scene.database), unreadable, 600_000)

    with pytest.raises(OperationalError):
        opener.open(chunk, 2)

    assert list(chunk.queue) == [0, 1, 2]
    assert chunk.next is None
