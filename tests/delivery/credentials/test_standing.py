"""Pauses, probes and holds of a credential in the database."""

from dataclasses import replace

import pytest

from delivery.chunks.chunk import CredentialVerdict, Step
from delivery.credentials import standing_repository as standing
from delivery.credentials.service import Resumption, resume
from tests.delivery.conftest import Held

PAUSED = CredentialVerdict("forbidden", "Apple forbids this.")
HELD = CredentialVerdict("third_party_auth_error", "Mend the key.", platforms=("ios", "web"))
DELAY = "SELECT round(extract(epoch FROM probe_at - clock_timestamp()))::int FROM credential"
EVENTS = "SELECT kind, reason, actor FROM credential_event ORDER BY id"


def say(held: Held, verdict: CredentialVerdict, cursor: int = 0) -> None:
    """Record what a gateway said of the credential, as a worker does."""
    assert held.record(Step(intended=0, open=[], credential=verdict), cursor)


def due(held: Held) -> list[standing.Due]:
    with held.database.begin() as connection:
        return list(standing.claim_due(connection, lease_seconds=60.0, limit=10))


def hasten(held: Held) -> None:
    """Let what is to be probed later be due."""
    held.change("UPDATE credential SET probe_at = clock_timestamp()")


def test_a_pause_is_probed_soon_and_keeps_its_words(held: Held) -> None:
    say(held, PAUSED)

    assert held.read("SELECT state, reason, reason_text FROM credential") == [
        ("paused", "forbidden", "Apple forbids this.")
    ]
    assert held.read(DELAY) == [(2,)]
    assert held.read(EVENTS) == [("paused", "forbidden", None)]
    assert due(held) == []


def test_a_refusal_of_an_earlier_version_pauses_nothing(held: Held) -> None:
    held.change("UPDATE credential SET updated_at = clock_timestamp()")

    say(held, PAUSED)
    say(held, HELD, 1)

    assert held.read("SELECT state, held_until FROM credential") == [("active", None)]
    assert held.read(EVENTS) == []


def test_one_prober_asks_and_the_next_comes_twice_as_late(held: Held) -> None:
    say(held, PAUSED)
    delays = []
    for _ in range(4):
        hasten(held)
        (one,) = due(held)
        assert due(held) == []
        with held.database.begin() as connection:
            standing.probe_later(connection, one, "bad_topic", "Apple refuses the topic.")
        delays += [held.read(DELAY)[0][0]]

    assert delays == [4, 8, 16, 32]
    assert held.read("SELECT state, reason, reason_text FROM credential") == [
        ("paused", "bad_topic", "Apple refuses the topic.")
    ]


def test_probes_are_never_more_than_five_minutes_apart(held: Held) -> None:
    say(held, PAUSED)
    held.change("UPDATE credential SET probes = 1000")
    hasten(held)
    (one,) = due(held)
    with held.database.begin() as connection:
        standing.probe_later(connection, one)

    assert held.read(DELAY) == [(300,)]


def test_what_works_goes_on(held: Held) -> None:
    say(held, PAUSED)
    before = held.read("SELECT updated_at FROM credential")
    hasten(held)
    (one,) = due(held)

    with held.database.begin() as connection:
        assert standing.resume_probed(connection, one, "It works.")

    assert held.read("SELECT state, reason, probe_at FROM credential") == [("active", None, None)]
    assert held.read("SELECT updated_at FROM credential") > before
    assert held.read(EVENTS) == [("paused", "forbidden", None), ("resumed", None, None)]


def test_what_pauses_again_at_once_is_probed_no_sooner(held: Held) -> None:
    say(held, PAUSED)
    held.change("UPDATE credential SET probes = 5")
    hasten(held)
    (one,) = due(held)
    with held.database.begin() as connection:
        standing.resume_probed(connection, one, "It works.")
    (version,) = held.read("SELECT updated_at FROM credential")[0]

    say(replace(held, lease=replace(held.lease, credential_updated_at=version)), PAUSED, 1)

    assert held.read("SELECT probes FROM credential") == [(6,)]
    assert held.read(DELAY) == [(128,)]


def test_a_probe_that_is_late_changes_nothing(held: Held) -> None:
    say(held, PAUSED)
    hasten(held)
    (one,) = due(held)
    with held.database.begin() as connection:
        resume(connection, one.app_id, "cred_1", Resumption("key_1"))
        standing.pause(connection, one.app_id, one.id, "fleet_guard", "Nearly all.")

    with held.database.begin() as connection:
        assert not standing.resume_probed(connection, one, "It works.")
        standing.probe_later(connection, one, "forbidden", "Apple forbids this.")

    assert held.read("SELECT state, reason, probe_at FROM credential") == [
        ("paused", "fleet_guard", None)
    ]


def test_what_the_guard_has_paused_is_never_probed(held: Held) -> None:
    with held.database.begin() as connection:
        lease = held.lease
        standing.pause(
            connection, lease.message.app_id, lease.credential_id, "fleet_guard", "Nearly all."
        )

    assert due(held) == []


@pytest.mark.parametrize("level", ["NULL, NULL", "1, NULL", "1, 1"])
def test_under_a_kill_switch_nobody_is_asked(held: Held, level: str) -> None:
    say(held, PAUSED)
    hasten(held)
    held.change(
        "INSERT INTO kill_switch (app_id, credential_id, reason, set_by) "
        f"VALUES ({level}, 'why', 'key_1')"
    )

    stopped = due(held)
    held.change("DELETE FROM kill_switch")

    assert stopped == []
    assert len(due(held)) == 1


def test_what_happened_is_kept_for_a_year(held: Held) -> None:
    say(held, PAUSED)
    held.change("UPDATE credential_event SET at = at - interval '399 days'")
    with held.database.begin() as connection:
        standing.forget_old(connection)
    kept = held.read(EVENTS)
    held.change("UPDATE credential_event SET at = at - interval '2 days'")

    with held.database.begin() as connection:
        standing.forget_old(connection)

    assert kept == [("paused", "forbidden", None)]
    assert held.read(EVENTS) == []


def test_a_hold_is_for_all_keys_of_a_project_and_is_noted_once(held: Held) -> None:
    held.change("UPDATE credential SET project_id = 'shop'")
    held.change(
        "INSERT INTO credential (app_id, public_id, provider, kind, name, project_id, sealed) "
        "SELECT app_id, 'cred_' || p, 'fcm', 'service_account', 'name', p, '\\x00' "
        "FROM credential, unnest(ARRAY['shop', 'other']) AS p"
    )

    say(held, HELD)
    say(held, HELD, 1)

    assert held.read(
        "SELECT public_id, held_platforms, hold_text, holds FROM credential ORDER BY public_id"
    ) == [
        ("cred_1", ["ios", "web"], "Mend the key.", 0),
        ("cred_other", None, None, 0),
        ("cred_shop", ["ios", "web"], "Mend the key.", 0),
    ]
    assert held.read(EVENTS) == [("held", "third_party_auth_error", None)] * 2


def test_a_hold_in_vain_lasts_twice_as_long(held: Held) -> None:
    lasts = "SELECT round(extract(epoch FROM held_until - clock_timestamp()))::int FROM credential"
    delays = []
    for cursor in range(4):
        say(held, HELD, cursor)
        delays += [held.read(lasts)[0][0]]
        held.change("UPDATE credential SET held_until = clock_timestamp() - interval '1 second'")

    assert delays == [2, 4, 8, 16]
    assert held.read(EVENTS) == [("held", "third_party_auth_error", None)]


def test_a_hold_that_ended_well_is_forgotten(held: Held) -> None:
    say(held, HELD)
    with held.database.begin() as connection:
        standing.release_lapsed(connection)
    kept = held.read("SELECT held_platforms FROM credential")
    held.change("UPDATE credential SET held_until = clock_timestamp() - interval '11 seconds'")

    with held.database.begin() as connection:
        standing.release_lapsed(connection)

    assert kept == [(["ios", "web"],)]
    assert held.read("SELECT held_platforms, hold_text FROM credential") == [(None, None)]
    assert held.read(EVENTS) == [
        ("held", "third_party_auth_error", None), ("released", None, None)
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", [PAUSED, HELD])
def test_whoever_resumes_it_is_noted(held: Held, verdict: CredentialVerdict) -> None:
    say(held, verdict)

    with held.database.begin() as connection:
        row = resume(connection, held.lease.message.app_id, "cred_1", Resumption("key_1"))

    assert (row.state, row.held_platforms, row.probe_at) == ("active", None, None)
    (_, last) = held.read(EVENTS)
    assert (last[0] in {"resumed", "released"}, last[2]) == (True, "key_1")
