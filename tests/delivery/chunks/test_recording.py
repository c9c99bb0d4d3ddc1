"""What a step leaves in PostgreSQL: all of it once, or nothing at all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

from delivery.chunks.chunk import CredentialVerdict, Ended, Retried, Step, TargetVerdict
from tests.deadlines import wait_until
from tests.delivery.conftest import Held

LEDGER = (
    "SELECT device_id, person_id, state, reason, gateway, attempt FROM ledger ORDER BY device_id"
)
DELTAS = "SELECT state, reason, recipients FROM message_delta ORDER BY state, reason"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
CHUNK = "SELECT cursor, intended, open, remaining FROM chunk ORDER BY id"


def test_each_end_becomes_one_row_with_what_the_gateway_said(held: Held) -> None:
    one, two, three, four, five = held.lease.device_ids
    ended = [
        Ended(2, "rejected", "INVALID", 'it said "no" \\ {},\n\tNULL ü🔔\0'),
        Ended(3, "gone", "UNREGISTERED"),
        Ended(4, "suppressed", "moved", ""),
    ]
    step = Step(5, (), accepted=[0, 1], gateway_ids=["projects/p/1", ""], ended=ended)

    assert held.record(step)

    assert held.read(LEDGER) == [
        (one, 11, "accepted", None, "projects/p/1", 1),
        (two, 12, "accepted", None, None, 1),
        (three, None, "rejected", "INVALID", 'it said "no" \\ {},\n\tNULL ü🔔', 1),
        (four, 14, "gone", "UNREGISTERED", None, 1),
        (five, 15, "suppressed", "moved", "", 1),
    ]
    assert held.read(DELTAS) == [
        ("accepted", "", 2), ("gone", "UNREGISTERED", 1), ("rejected", "INVALID", 1),
        ("suppressed", "moved", 1),
    ]  # fmt: skip
    assert held.read(CHUNK) == []


def test_the_intent_of_the_next_window_rides_along(held: Held) -> None:
    assert held.record(Step(4, [2, 3], accepted=[0, 1], gateway_ids=["a", "b"]))

    assert held.read(CHUNK) == [(1, 4, [2, 3], 3)]
    assert len(held.read(LEDGER)) == 2


def test_a_step_of_a_lost_lease_leaves_nothing(held: Held) -> None:
    held.change("UPDATE chunk SET fence = fence + 1")
    steps = [
        Step(2, (), accepted=[0, 1], gateway_ids=["a", "b"]),
        Step(5, (), accepted=[0, 1, 2, 3], gateway_ids=["a"] * 4, ended=[Ended(4, "gone", "G")]),
        Step(1, (), retried=[Retried(0, 10.0, "busy", 2)]),
    ]

    assert [held.record(step) for step in steps] == [False] * 3

    assert held.read(LEDGER) == held.read(DELTAS) == []
    assert held.read(CHUNK) == [(0, 0, [], 5)]


def test_a_step_is_not_recorded_twice(held: Held) -> None:
    step = Step(2, (), accepted=[0, 1], gateway_ids=["a", "b"])

    assert [held.record(step), held.record(step)] == [True, False]

    assert len(held.read(LEDGER)) == 2


def test_a_step_that_does_not_add_up_leaves_nothing(held: Held) -> None:
    assert not held.record(Step(3, (), accepted=[0, 1], gateway_ids=["a", "b"]))

    assert held.read(LEDGER) == []


def test_a_second_row_of_a_recipient_is_refused_aloud(held: Held) -> None:
    held.record(Step(1, (), accepted=[0], gateway_ids=["a"]))

    with pytest.raises(psycopg.errors.UniqueViolation):
        held.record(Step(2, (), accepted=[0], gateway_ids=["b"]), cursor=1)

    assert held.read(CHUNK) == [(1, 1, [], 4)]
    assert len(held.read(LEDGER)) == 1


def test_recipients_that_go_on_and_all_verdicts_are_part_of_the_step(held: Held) -> None:
    targets = [row[0] for row in held.read("SELECT id FROM target ORDER BY id")]
    now = datetime.now(UTC)
    step = Step(
        4,
        (),
        accepted=[0],
        gateway_ids=["a"],
        ended=[Ended(1, "gone", "UNREGISTERED")],
        retried=[Retried(2, 30.2, "busy", 2), Retried(3, 30.4, "busy", 2)],
        targets=[
            TargetVerdict(targets[1], "retired", "UNREGISTERED", now),
            # Registered again after this verdict was formed.
            TargetVerdict(targets[0], "suspect", "INVALID", now - timedelta(days=2)),
        ],
        credential=CredentialVerdict("quota", "", freeze_seconds=60.0),
    )

    assert held.record(step)

    assert held.read("SELECT device_ids, person_ids, attempt, wait_reason, remaining FROM chunk "
                     "WHERE attempt = 2") == [
        (list(held.lease.device_ids[2:4]), [None, 14], 2, "busy", 2)
    ]  # fmt: skip
    assert held.read("SELECT id, state, state_reason FROM target WHERE state <> 'active'") == [
        (targets[1], "retired", "UNREGISTERED")
    ]
    assert held.read("SELECT state, frozen_until > now() FROM credential") == [("active", True)]


@pytest.mark.parametrize(("attempt", "is_new"), [(1, False), (2, True)])
def test_the_first_attempt_is_when_the_gateway_answered_first(
    held: Held, attempt: int, *, is_new: bool
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    late = Held(held.database, replace(held.lease, first_attempt_at=long_ago))

    assert late.record(Step(1, (), retried=[Retried(0, 30.0, "busy", attempt)]))

    assert held.read(
        "SELECT first_attempt_at > now() - interval '1 hour' FROM chunk WHERE wait_reason = 'busy'"
    ) == [(is_new,)]


def test_a_pause_keeps_the_words_for_people(held: Held) -> None:
    assert held.record(Step(0, (), credential=CredentialVerdict("unauthorized", "Key revoked.")))

    assert held.read("SELECT state, reason, reason_text FROM credential") == [
        ("paused", "unauthorized", "Key revoked.")
    ]


def test_a_chunk_that_waits_for_permits_is_no_retry_any_more(held: Held) -> None:
    held.change("UPDATE chunk SET wait_reason = 'busy'")

    assert held.record(Step(0, (), release=True, due_in_seconds=30.0))

    assert held.read("SELECT wait_reason FROM chunk") == [(None,)]


def test_a_chunk_released_after_a_new_rate_is_due_at_once(held: Held) -> None:
    held.change("UPDATE message SET rate_per_second = 1000")

    assert held.record(Step(0, (), release=True, due_in_seconds=30.0))

    assert held.read("SELECT lease_until, due_at <= now() FROM chunk") == [(None, True)]


def test_a_release_waits_for_a_new_rate_that_is_being_set(held: Held) -> None:
    step = Step(0, (), release=True, due_in_seconds=30.0)
    with ThreadPoolExecutor(1) as threads, held.database.begin() as changing:
        changing.execute(text("SELECT FROM message FOR UPDATE"))
        changing.execute(text("UPDATE message SET rate_per_second = 1000"))
        recording = threads.submit(held.record, step)
        wait_until(lambda: held.read(WAITING) == [(1,)], 10, "the release waits")
        changing.commit()

        assert recording.result(10)

    assert held.read("SELECT lease_until, due_at <= now() FROM chunk") == [(None, True)]


def test_a_released_chunk_is_due_when_it_says(held: Held) -> None:
    assert held.record(Step(0, (), release=True, due_in_seconds=30.0))

    assert held.read(
        "SELECT lease_until, due_at BETWEEN now() + interval '20 s' AND now() + interval '30 s' "
        "FROM chunk"
    ) == [(None, True)]
