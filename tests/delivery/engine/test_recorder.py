"""Recording a chunk's step: repeated until it is known what became of it."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text

from core.clock import steady_seconds
from core.database import driver_connection
from delivery.chunks import recording_repository
from delivery.chunks.chunk import CredentialVerdict, Ended, TargetVerdict
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.recorder import Recorded, Recorder, record
from delivery.engine.verdict import Decision
from delivery.engine.window import Addressed, Window
from tests.deadlines import wait_until
from tests.delivery.conftest import LEASE_SECONDS, Held
from tests.delivery.engine.chunks import NO_PROVIDER, NO_PUSH

STATES = "SELECT state, count(*) FROM ledger GROUP BY state ORDER BY state"

WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

# Ends the session of whoever updates a chunk, as a server that shuts down does.
END_SESSIONS = (
    "CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$; "
    "CREATE TRIGGER away BEFORE UPDATE ON chunk FOR EACH ROW EXECUTE FUNCTION end_session()"
)

# A step stops with its target locked while somebody holds the advisory lock.
STOP_AT_TARGETS = (
    "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$; "
    "CREATE TRIGGER stop BEFORE UPDATE ON target FOR EACH ROW "
    "WHEN (NEW.state = 'retired') EXECUTE FUNCTION stop()"
)


def walk(held: Held) -> OpenChunk:
    """Return a chunk whose first window of two has left."""
    chunk = OpenChunk(held.lease, steady_seconds() + LEASE_SECONDS)
    positions = chunk.take(2)
    pushes = [Addressed(position, position + 1, NO_PUSH) for position in positions]
    chunk.prepared(Window(positions, pushes, (), NO_PROVIDER, 0.0, 100.0))
    assert record(held.database, chunk, LEASE_SECONDS) is Recorded.COMMITTED
    chunk.recorded(LEASE_SECONDS, 0.0)
    chunk.depart(0.0)
    return chunk


def test_a_commit_whose_answer_was_lost_is_found(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    step = chunk.build_step()
    with driver_connection(held.database) as connection:
        recording_repository.record(connection, chunk.lease, chunk.cursor, step, LEASE_SECONDS)

    found = record(held.database, chunk, LEASE_SECONDS)

    assert found is Recorded.COMMITTED
    assert held.read(STATES) == [("accepted", 1)]


def test_a_lease_counts_from_the_first_try_whichever_of_them_held(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    began = steady_seconds()
    step = chunk.build_step(began - 50.0)
    with driver_connection(held.database) as connection:
        recording_repository.record(connection, chunk.lease, chunk.cursor, step, LEASE_SECONDS)

    record(held.database, chunk, LEASE_SECONDS)
    chunk.recorded(LEASE_SECONDS, steady_seconds())

    assert chunk.lease_until == began - 50.0 + LEASE_SECONDS


def test_a_commit_that_comes_while_the_step_is_tried_again_is_found(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    chunk.build_step()

    with ThreadPoolExecutor(1) as pool, held.database.begin() as earlier:
        # The first try, whose connection broke, still runs on the server.
        earlier.execute(text("UPDATE chunk SET cursor = cursor + 1"))
        recording = pool.submit(record, held.database, chunk, LEASE_SECONDS)
        wait_until(lambda: held.read(WAITING) == [(1,)], 20, "the step waits for the first try")
        earlier.commit()

        assert recording.result(20) is Recorded.COMMITTED


def test_a_step_of_a_chunk_that_somebody_else_holds_is_lost(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    held.change("UPDATE chunk SET fence = fence + 1")

    assert record(held.database, chunk, LEASE_SECONDS) is Recorded.LOST
    assert held.read(STATES) == []


def test_a_step_waits_while_the_connection_is_lost(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    held.change(END_SESSIONS)

    lost = record(held.database, chunk, LEASE_SECONDS)
    held.change("DROP TRIGGER away ON chunk")
    again = record(held.database, chunk, LEASE_SECONDS)

    assert (lost, again) == (Recorded.AWAY, Recorded.COMMITTED)
    assert held.read(STATES) == [("accepted", 1)]


def test_a_row_that_is_there_already_is_a_defect_that_shows(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    held.change(
        "INSERT INTO ledger (app_id, day, message_id, device_id, state, attempt) "
        "SELECT app_id, current_date, message_id, device_ids[1], 'unknown', 1 FROM chunk"
    )

    with pytest.raises(psycopg.errors.UniqueViolation):
        record(held.database, chunk, LEASE_SECONDS)

    assert held.read(STATES) == [("unknown", 1)]


def gone(target: int) -> Decision:
    """Return an end that changes both a target and the credential."""
    return Decision(
        end=Ended(0, "gone", "UNREGISTERED"),
        target=TargetVerdict(target, "retired", "UNREGISTERED", datetime.now(UTC)),
        credential=CredentialVerdict("quota", "", freeze_seconds=60.0),
    )


def test_a_deadlock_is_tried_again_at_once(held: Held) -> None:
    chunk = walk(held)
    target = held.read("SELECT min(id) FROM target")[0][0]
    chunk.answer(chunk.departed[0], gone(target))
    held.change(STOP_AT_TARGETS)

    with (
        ThreadPoolExecutor(2) as pool,
        held.database.connect() as gate,
        held.database.begin() as other,
    ):
        gate.execute(text("SELECT pg_advisory_lock(1)"))
        # So it is the step that finds the deadlock, and gives way.
        other.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        other.execute(text("UPDATE credential SET name = 'theirs'"))
        recording = pool.submit(record, held.database, chunk, LEASE_SECONDS)
        wait_until(lambda: held.read(WAITING) == [(1,)], 20, "the step stops")
        theirs = text("UPDATE target SET updated_at = now() WHERE id = :id")
        waiting = pool.submit(other.execute, theirs, {"id": target})
        wait_until(lambda: held.read(WAITING) == [(2,)], 20, "the other waits for the target")
        gate.execute(text("SELECT pg_advisory_unlock(1)"))
        waiting.result(20)
        other.commit()

        assert recording.result(20) is Recorded.COMMITTED

    assert held.read("SELECT count(*) FROM credential WHERE name = 'theirs'") == [(1,)]
    assert held.read("SELECT state FROM target WHERE id = (SELECT min(id) FROM target)") == [
        ("retired",)
    ]
    assert held.read(STATES) == [("gone", 1)]


def test_answers_come_in_while_a_step_is_being_recorded(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    recorder = Recorder(held.database, LEASE_SECONDS)
    with held.database.begin() as other:
        other.execute(text("SELECT FROM chunk FOR UPDATE"))
        first = recorder.record(chunk)
        chunk.accept(chunk.departed[0], 1, "b")
        second = recorder.record(chunk)
        is_busy = bool(recorder.futures())

    wait(recorder.futures(), 20, return_when=FIRST_COMPLETED)
    found = recorder.record(chunk)
    chunk.recorded(LEASE_SECONDS, 0.0)
    step = chunk.build_step()
    recorder.close()

    assert (first, second, is_busy) == (None, None, True)
    assert found is Recorded.COMMITTED
    assert held.read(STATES) == [("accepted", 1)]
    assert (step.accepted, step.gateway_ids) == ([1], ["b"])


def test_a_step_that_failed_is_begun_again_by_the_next_call(held: Held) -> None:
    chunk = walk(held)
    chunk.accept(chunk.departed[0], 0, "a")
    recorder = Recorder(held.database, LEASE_SECONDS)
    held.change(END_SESSIONS)

    recorder.record(chunk)
    wait(recorder.futures(), 20, return_when=FIRST_COMPLETED)
    lost = recorder.record(chunk)
    held.change("DROP TRIGGER away ON chunk")
    recorder.record(chunk)
    wait(recorder.futures(), 20, return_when=FIRST_COMPLETED)
    again = recorder.record(chunk)
    recorder.close()

    assert (lost, again) == (Recorded.AWAY, Recorded.COMMITTED)
    assert not recorder.futures()
    assert held.read(STATES) == [("accepted", 1)]
