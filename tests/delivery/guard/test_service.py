"""The guard in the database: it pauses, takes verdicts back, and believes what is certain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from delivery.chunks.chunk import Ended, Step, TargetVerdict
from delivery.credentials.service import Resumption, resume
from delivery.guard import repository, service
from delivery.guard.rules import GuardRules
from delivery.guard.tally import Report, Seen
from tests.delivery.conftest import Held

RULES = GuardRules(share=0.5, answers=200, seconds=60.0)
STATES = "SELECT state, count(*) FROM target GROUP BY state ORDER BY state"
CREDENTIAL = "SELECT state, reason FROM credential"


def refuse(held: Held, position: int, *, cursor: int = 0, state: str = "suspect") -> bool:
    """Record that a token was refused, as a worker does."""
    (target,) = held.read(f"SELECT id FROM target ORDER BY id OFFSET {position} LIMIT 1")
    verdict = TargetVerdict(target[0], state, "bad_device_token", datetime.now(UTC))
    left = [place for place in range(5) if place > position]
    step = Step(
        intended=5,
        open=left,
        ended=[Ended(position, "rejected", "bad_device_token")],
        targets=[verdict],
    )
    return held.record(step, cursor)


def tell(held: Held, answers: int, refused: int, *, age: float = 0.0, failing: bool = True) -> None:
    lease = held.lease
    seen = [Seen(age, answers, refused)]
    report = Report(lease.message.app_id, lease.credential_id, seen, failing)
    service.tell(held.database, RULES, report)


def long_ago(held: Held, seconds: float = 120.0) -> None:
    """Let everything have happened so long ago."""
    held.change(f"UPDATE target SET updated_at = updated_at - interval '{seconds} seconds'")
    held.change(f"UPDATE token_answer SET at = at - interval '{seconds} seconds'")


def test_two_hundred_refusals_pause_the_credential_and_are_taken_back(held: Held) -> None:
    assert refuse(held, 0)

    tell(held, 150, 150)
    before = held.read(CREDENTIAL), held.read(STATES)
    tell(held, 50, 50)

    assert before == ([("active", None)], [("active", 4), ("suspect", 1)])
    assert held.read(CREDENTIAL) == [("paused", "fleet_guard")]
    assert held.read(STATES) == [("active", 5)]
    assert held.read("SELECT count(*) FROM token_answer") == [(0,)]
    ((kind, words, probe_at),) = held.read(
        "SELECT e.kind, e.words, k.probe_at FROM credential_event e, credential k"
    )
    assert kind == "paused"
    assert words.startswith("200 of the last 200 answers refuse the token (bad_device_token)")
    assert probe_at is None


def test_workers_count_together(held: Held) -> None:
    tell(held, 1_000, 0, failing=False)

    tell(held, 999, 999)
    assert held.read(CREDENTIAL) == [("active", None)]
    tell(held, 1, 1)

    assert held.read(CREDENTIAL) == [("paused", "fleet_guard")]


def test_what_begins_in_the_middle_of_a_campaign_is_noticed_within_seconds(held: Held) -> None:
    tell(held, 50_000, 0, age=20.0, failing=False)

    tell(held, 200, 150)

    assert held.read(CREDENTIAL) == [("paused", "fleet_guard")]


def test_what_is_longer_ago_than_the_guard_looks_back_does_not_count(held: Held) -> None:
    tell(held, 150, 150, age=61.0)

    tell(held, 150, 150)

    assert held.read(CREDENTIAL) == [("active", None)]


def test_what_no_worker_was_left_to_do_the_scheduler_does(held: Held) -> None:
    refuse(held, 0)
    tell(held, 200, 200, failing=False)

    service.watch_over(held.database, RULES)

    assert held.read(CREDENTIAL) == [("paused", "fleet_guard")]
    assert held.read(STATES) == [("active", 5)]


def test_answers_that_come_during_the_pause_harm_no_token(held: Held) -> None:
    tell(held, 200, 200)

    assert refuse(held, 0)

    assert held.read(STATES) == [("active", 5)]
    assert held.read("SELECT state FROM ledger") == [("rejected",)]


def test_a_verdict_that_was_on_its_way_meanwhile_is_taken_back_later(held: Held) -> None:
    tell(held, 200, 200)
    held.change(
        "UPDATE target SET state = 'suspect', suspect_credential_id = "
        "(SELECT id FROM credential) WHERE device_id = (SELECT min(id) FROM device)"
    )

    service.watch_over(held.database, RULES)

    assert held.read(STATES) == [("active", 5)]


def test_what_was_suspected_with_a_credential_that_was_deleted_is_taken_back(held: Held) -> None:
    refuse(held, 0)
    refuse(held, 1, cursor=1, state="retired")
    held.change("UPDATE credential SET state = 'retired'")

    service.watch_over(held.database, RULES)

    assert held.read(STATES) == [("active", 4), ("retired", 1)]


def test_registrations_that_have_ended_stay_so(held: Held) -> None:
    refuse(held, 0, state="retired")

    tell(held, 200, 200)

    assert held.read(STATES) == [("active", 4), ("retired", 1)]


def test_suspects_of_other_credentials_are_none_of_the_guards_business(held: Held) -> None:
    refuse(held, 0)
    held.change("UPDATE target SET suspect_credential_id = 99 WHERE state = 'suspect'")

    tell(held, 200, 200)

    assert held.read(STATES) == [("active", 4), ("suspect", 1)]


def test_a_token_with_a_topic_of_its_own_says_nothing_of_the_credential(held: Held) -> None:
    held.change("UPDATE target SET topic = 'com.example.other'")

    refuse(held, 0)

    assert held.read("SELECT suspect_credential_id FROM target WHERE state = 'suspect'") == [
        (None,)
    ]


@pytest.mark.parametrize(("trusts", "state"), [(False, "paused"), (True, "active")])
def test_whoever_trusts_the_gateway_is_left_alone(held: Held, *, trusts: bool, state: str) -> None:
    tell(held, 200, 200)
    with held.database.begin() as connection:
        resume(connection, held.lease.message.app_id, "cred_1", Resumption("key_1", trusts))

    tell(held, 200, 200)

    assert held.read("SELECT state FROM credential") == [(state,)]


def test_after_a_resumption_all_is_counted_afresh(held: Held) -> None:
    tell(held, 200, 200)
    # What was still being reported when it paused.
    tell(held, 100, 100)
    with held.database.begin() as connection:
        resume(connection, held.lease.message.app_id, "cred_1", Resumption("key_1"))

    tell(held, 150, 150)

    assert held.read(CREDENTIAL) == [("active", None)]


def test_a_suspect_is_retired_once_others_got_through_at_the_same_time(held: Held) -> None:
    refuse(held, 0)
    tell(held, 21, 1, failing=False)
    service.watch_over(held.database, RULES)
    young = held.read(STATES)

    long_ago(held)
    service.watch_over(held.database, RULES)

    assert young == [("active", 4), ("suspect", 1)]
    assert held.read(STATES) == [("active", 4), ("retired", 1)]
    assert held.read("SELECT state_reason FROM target WHERE state = 'retired'") == [
        ("bad_device_token",)
    ]
    assert held.read("SELECT count(*) FROM token_answer") == [(0,)]


def test_a_suspect_of_bad_times_stays_one_whatever_comes_later(held: Held) -> None:
    refuse(held, 0)
    tell(held, 100, 100, failing=False)
    long_ago(held)
    service.watch_over(held.database, RULES)

    tell(held, 1_000, 0, failing=False)
    long_ago(held)
    service.watch_over(held.database, RULES)

    assert held.read(STATES) == [("active", 4), ("suspect", 1)]
    assert held.read("SELECT count(*) FROM token_answer") == [(0,)]


def test_a_few_answers_are_no_proof_until_more_have_come(held: Held) -> None:
    refuse(held, 0)
    tell(held, 10, 1, failing=False)
    long_ago(held)
    service.watch_over(held.database, RULES)
    before = held.read(STATES)

    tell(held, 15, 0, age=10.0, failing=False)
    held.change("UPDATE token_answer SET at = at - interval '60 seconds'")
    service.watch_over(held.database, RULES)

    assert before == [("active", 4), ("suspect", 1)]
    assert held.read(STATES) == [("active", 4), ("retired", 1)]


def test_a_token_that_was_registered_again_is_no_suspect(held: Held) -> None:
    refuse(held, 0)
    tell(held, 100, 1, failing=False)
    long_ago(held)
    held.change("UPDATE target SET state = 'active', suspect_credential_id = NULL")

    service.watch_over(held.database, RULES)

    assert held.read(STATES) == [("active", 5)]


def test_one_scheduler_judges_at_a_time(held: Held) -> None:
    refuse(held, 0)
    tell(held, 100, 1, failing=False)
    long_ago(held)
    with held.database.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": 0x0CA21111})
        service.watch_over(held.database, RULES)
        meanwhile = held.read(STATES)

    service.watch_over(held.database, RULES)

    assert meanwhile == [("active", 4), ("suspect", 1)]
    assert held.read(STATES) == [("active", 4), ("retired", 1)]


def test_a_database_that_is_away_costs_no_worker_its_life(held: Held) -> None:
    away = replace(RULES, answers=1)
    lease = held.lease
    held.change("ALTER TABLE token_answer RENAME TO elsewhere")

    report = Report(lease.message.app_id, lease.credential_id, [Seen(0.0, 1, 1)], is_failing=True)
    service.tell(held.database, away, report)

    assert held.read(CREDENTIAL) == [("active", None)]


def test_a_registration_newer_than_the_refusal_wins(held: Held) -> None:
    (target,) = held.read("SELECT min(id) FROM target")
    old = TargetVerdict(target[0], "suspect", "why", datetime.now(UTC) - timedelta(days=2))

    assert held.record(Step(intended=1, open=[0], targets=[old]))

    assert held.read(STATES) == [("active", 5)]


def test_suspects_are_found_without_a_look_at_the_others(held: Held) -> None:
    with held.database.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        statement = repository._RESTORE, repository._JUDGE
        values = {"credential_id": None, "share": 0.5, "seconds": 60.0, "enough": 20}
        plans = [
            "\n".join(connection.execute(text(f"EXPLAIN {one}"), values).scalars())
            for one in statement
        ]

    assert all("target_ended_idx" in plan for plan in plans), plans
