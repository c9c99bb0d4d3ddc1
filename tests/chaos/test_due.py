"""Due messages start within two seconds, also those that became due while nothing ran."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.stage import Stage
from tests.deadlines import note, wait_until, within

_SECONDS = within(2.0)


def moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def test_a_message_starts_when_it_is_due(stage: Stage) -> None:
    stage.add_devices(3)
    stage.crew.start()
    due_at = datetime.now(UTC) + timedelta(seconds=1.5)

    books = stage.wait_end(stage.send(send_at=due_at.isoformat()))

    first = stage.scene.sandbox.control.stats()["first_arrival"]
    note(f"the first push {first - due_at.timestamp():.2f} s after it was due")
    assert 0 <= (moment(books.message["started_at"]) - due_at).total_seconds() < _SECONDS
    assert 0 <= first - due_at.timestamp() < _SECONDS


def test_messages_that_became_due_during_downtime_start_when_it_ends(stage: Stage) -> None:
    stage.add_devices(3)
    due_at = datetime.now(UTC) + timedelta(seconds=0.5)
    messages = [stage.send(send_at=due_at.isoformat()) for _ in range(3)]
    wait_until(lambda: datetime.now(UTC) > due_at, 10, "they are due")

    stage.crew.start()
    up_at = datetime.now(UTC)
    ends = [stage.wait_end(message_id) for message_id in messages]

    first = stage.scene.sandbox.control.stats()["first_arrival"]
    note(f"the first push {first - up_at.timestamp():.2f} s after the start")
    assert first - up_at.timestamp() < _SECONDS
    for books in ends:
        assert (moment(books.message["started_at"]) - up_at).total_seconds() < _SECONDS
        assert books.message["counts"]["accepted"] == 3
