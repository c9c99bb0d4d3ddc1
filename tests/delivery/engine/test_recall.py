"""What is taken back from the sender, and when control rows are read for it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event

from core.clock import steady_seconds
from core.database import driver_connection
from delivery.chunks.chunk import Lease
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.recall import Recall
from delivery.engine.repository import read_control, read_stopped
from delivery.engine.sender import Sender
from delivery.engine.window import Addressed, Window
from delivery.outcome import Accepted
from delivery.retry import RetryRules
from tests.deadlines import wait_until
from tests.delivery.conftest import Held
from tests.delivery.engine.test_sender import Gateway, encoded

_OTHER = """
INSERT INTO credential (app_id, public_id, provider, kind, name, sealed)
SELECT id, 'cred_2', 'apns', 'token', 'name', '\\x00' FROM app;
"""
_SWITCH = "INSERT INTO kill_switch (app_id, credential_id, reason, set_by) "
STOPS = {
    "paused": "UPDATE message SET state = 'paused'",
    "cancelled": "UPDATE message SET state = 'cancelled'",
    "expired": "UPDATE message SET expires_at = now()",
    "credential": "UPDATE credential SET state = 'paused' WHERE public_id = 'cred_1'",
    "frozen": "UPDATE credential SET frozen_until = now() + interval '1 minute' "
    "WHERE public_id = 'cred_1'",
    "killed": _SWITCH + "VALUES (NULL, NULL, 'why', 'key_1')",
    "killed app": _SWITCH + "SELECT id, NULL, 'why', 'key_1' FROM app",
    "killed credential": _SWITCH
    + "SELECT app_id, id, 'why', 'key_1' FROM credential WHERE public_id = 'cred_1'",
}
GO_ON = {
    "nothing": "SELECT 1",
    "thawed": "UPDATE credential SET frozen_until = now() - interval '1 second'",
    "another credential": "UPDATE credential SET state = 'paused' WHERE public_id = 'cred_2'",
    "another credential's switch": _SWITCH
    + "SELECT app_id, id, 'why', 'key_1' FROM credential WHERE public_id = 'cred_2'",
}


def second_of(held: Held) -> Lease:
    """Return a lease of the same message under another credential."""
    held.change(_OTHER)
    ((number,),) = held.read("SELECT id FROM credential WHERE public_id = 'cred_2'")
    return replace(held.lease, id=held.lease.id + 1, credential_id=number)


@pytest.mark.parametrize("change", [*STOPS, *GO_ON])
def test_a_chunk_is_stopped_exactly_when_its_control_row_says_so(held: Held, change: str) -> None:
    leases = [held.lease, second_of(held), replace(held.lease, credential_id=0)]
    held.change({**STOPS, **GO_ON}[change])

    with driver_connection(held.database) as connection:
        stopped = read_stopped(connection, leases)
        controls = [read_control(connection, lease) for lease in leases[:2]]

    assert (0 in stopped) is (change in STOPS)
    # What is gone for good is stopped, too.
    assert stopped == {n for n, one in enumerate(controls) if not one.may_send()} | {2}


@pytest.fixture
def queries(held: Held) -> Iterator[list[object]]:
    """Grows with each connection that is borrowed."""
    borrowed: list[object] = []

    def note(*given: object) -> None:
        borrowed.append(given[0])

    event.listen(held.database, "checkout", note)
    yield borrowed
    event.remove(held.database, "checkout", note)


def depart(held: Held, gateway: Gateway, *, checked_ago: float = 1.0) -> OpenChunk:
    """Send all five recipients of the chunk."""
    chunk = OpenChunk(held.lease, steady_seconds() + 60.0)
    pushes = [Addressed(position, 9, encoded(position)) for position in chunk.take(5)]
    window = Window(range(5), pushes, (), gateway, 0.0, 100.0)
    window.checked_at = steady_seconds() - checked_ago
    chunk.prepared(window)
    chunk.build_step()
    chunk.recorded(chunk.lease_until, 0.0)
    sender = Sender(RetryRules(10.0, 3_600.0, 8), lambda: 0.5, 20.0, 5.0)
    sender.send(chunk, chunk.depart(steady_seconds()))
    return chunk


def test_what_waits_is_taken_back_untried(held: Held) -> None:
    chunk = depart(held, Gateway())
    held.change(STOPS["paused"])

    Recall(held.database).look([chunk])

    step = chunk.build_step()
    assert [(one.position, one.delay_seconds, one.attempt) for one in step.retried] == [
        (position, 0.0, 1) for position in range(5)
    ]
    assert (chunk.flying, chunk.departed, step.open) == (0, [], [])


def test_who_looked_just_now_looks_again_only_when_it_took_long(
    held: Held, queries: list[object]
) -> None:
    chunk, recall = depart(held, Gateway()), Recall(held.database)
    began = steady_seconds()

    recall.look([])
    recall.look_again([chunk])
    looked, took = len(queries), steady_seconds() - began

    def has_looked() -> bool:
        recall.look_again([chunk])
        return bool(queries)

    assert looked == 0 or took >= 0.05
    wait_until(has_looked, 5, "a look again")


def test_what_may_be_sent_stays(held: Held, queries: list[object]) -> None:
    gateway = Gateway()
    chunk, recall = depart(held, gateway), Recall(held.database)

    recall.look([chunk])
    # Its control row is as good as new.
    recall.look([chunk])
    gateway.answer(Accepted())

    assert len(queries) == 1
    assert sorted(chunk.build_step().accepted) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("is_written", [True, False])
def test_without_an_old_push_that_waits_nothing_is_read(
    held: Held, queries: list[object], *, is_written: bool
) -> None:
    gateway = Gateway()
    chunk = depart(held, gateway, checked_ago=1.0 if is_written else 0.0)
    if is_written:
        gateway.pushes = []
    held.change(STOPS["cancelled"])
    queries.clear()

    Recall(held.database).look([chunk])

    assert queries == []
    assert chunk.flying == 5


def test_while_the_database_is_away_nothing_is_taken_back(held: Held) -> None:
    chunk, recall = depart(held, Gateway()), Recall(held.database)
    held.change("ALTER TABLE kill_switch RENAME TO kill_switch_away")

    recall.look([chunk])

    assert chunk.flying == 5
