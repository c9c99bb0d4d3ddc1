"""PostgreSQL lets exactly those chunks be claimed, swept and sent of which the model says so."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, text

from core.database import driver_connection
from core.database import rows as select
from delivery.chunks import repository
from delivery.chunks.sweep_repository import end_idle
from delivery.engine.repository import read_control
from tests.delivery.engine.chunks import lease_of
from tests.delivery.engine.protocol import rows
from tests.delivery.engine.protocol.rows import LEASE, NOBODY, OPEN, Books, Row

# Leases count from a restart of the server, which was long ago for a lease as short as this.
MOMENT_SECONDS = 0.001
LEFT = {NOBODY: None, 0: "-1 second", LEASE: "1 hour"}
# What is intended of two recipients, and who of them is open.
STANDINGS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (0, ()), (1, (0,)), (2, (1,)), (2, (0, 1)),
)  # fmt: skip
# How a credential is stopped; the model has one way for all of them, but for a deleted one.
STOPS = ("paused", "retired", "frozen", "killed")


class Moment(NamedTuple):
    """A chunk of two recipients with its message and its credential."""

    lane: str
    policy: str
    message: str
    expired: bool
    credential: str
    left: int
    intended: int
    open: tuple[int, ...]

    def books(self) -> Books:
        row = Row(1, (0, 1), 1, self.intended, self.open, 0, 0, self.left)
        credential = self.credential if self.credential in {"active", "retired"} else "paused"
        return Books((row,), (OPEN, OPEN), self.message, self.expired, credential)


EVERY = [
    Moment(lane, policy, message, expired, credential, left, intended, opened)
    for lane in ("campaign", "transactional")
    for policy in ("at_most_once", "at_least_once")
    for message in ("running", "paused", "cancelled")
    for expired in (False, True)
    for credential in ("active", *STOPS)
    for left in LEFT
    for intended, opened in STANDINGS
]
MAKE = """
WITH k AS (
    INSERT INTO credential (app_id, public_id, provider, kind, name, sealed, state, frozen_until,
                            project_id)
    VALUES (:app, :name, 'fcm', 'service_account', 'key', '\\x00', :state,
            CASE WHEN :credential = 'frozen' THEN now() + interval '1 hour' END, :name)
    RETURNING id),
s AS (
    INSERT INTO kill_switch (app_id, credential_id, reason, set_by)
    SELECT :app, id, 'stop', 'test' FROM k WHERE :credential = 'killed'),
m AS (
    INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience,
                         ttl_seconds, send_at, expires_at)
    VALUES (:app, :name, current_date, :lane, :message, :policy, '{}', '{}', 3600, now(),
            now() + CASE WHEN :expired THEN interval '-1 second' ELSE interval '1 hour' END)
    RETURNING id)
INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, remaining,
                   intended, open, lease_until, due_at)
SELECT :app, m.id, k.id, :lane, '{1,2}', '{NULL,NULL}', :remaining, :intended,
       CAST(:open AS int4[]), now() + CAST(:left AS interval), now() - interval '1 second'
FROM m, k
"""


@pytest.fixture
def chunks(fresh_engine: Engine) -> tuple[Engine, dict[int, Moment]]:
    """A database with one chunk of every kind, by the ids of their messages."""
    with fresh_engine.begin() as connection:
        app = connection.execute(
            text("INSERT INTO app (public_id, name, identity_secret) "
                 "VALUES ('app', 'app', '\\x00') RETURNING id")
        ).scalar_one()  # fmt: skip
        given = [_values(app, number, one) for number, one in enumerate(EVERY)]
        connection.execute(text(MAKE), given)
        found = select(connection, "SELECT id, public_id FROM message")
    return fresh_engine, {row.id: EVERY[int(row.public_id)] for row in found}


def _values(app: int, number: int, one: Moment) -> dict[str, Any]:
    return {
        **one._asdict(),
        "app": app,
        "name": str(number),
        "state": one.credential if one.credential in {"paused", "retired"} else "active",
        "open": list(one.open),
        "left": LEFT[one.left],
        "remaining": one.books().rows[0].remaining,
    }


def claim(database: Engine, lane: str, lease_seconds: float) -> list[Any]:
    owner = repository.Owner(lane, "test", lease_seconds)
    with database.connect() as connection, connection.begin() as transaction:
        found = repository.claim(connection, owner, repository.Hands(), limit=len(EVERY))
        transaction.rollback()
    return list(found)


@pytest.mark.parametrize("lane", ["campaign", "transactional"])
def test_exactly_what_may_be_claimed_is(
    chunks: tuple[Engine, dict[int, Moment]], lane: str
) -> None:
    database, made = chunks

    leases = {lease.message.id: lease for lease in claim(database, lane, MOMENT_SECONDS)}

    expected = {
        key
        for key, one in made.items()
        if one.lane == lane and rows.is_claimable(one.books(), one.books().rows[0])
    }
    assert leases.keys() == expected
    assert {key for key, lease in leases.items() if lease.is_abandoned} == {
        key for key in expected if made[key].left == 0
    }


def test_a_lease_counts_from_a_restart_of_the_server(
    chunks: tuple[Engine, dict[int, Moment]],
) -> None:
    database, made = chunks
    since_before_it_started = 1e8

    leases = claim(database, "campaign", since_before_it_started)

    assert {made[lease.message.id].left for lease in leases} == {NOBODY}


def test_exactly_what_may_be_ended_is_and_in_truth(
    chunks: tuple[Engine, dict[int, Moment]],
) -> None:
    database, made = chunks

    with database.begin() as connection:
        end_idle(connection, lease_seconds=MOMENT_SECONDS, limit=len(EVERY))

    found: dict[int, dict[int, str]] = {}
    with database.connect() as connection:
        for row in select(connection, "SELECT message_id, device_id, state FROM ledger"):
            found.setdefault(row.message_id, {})[row.device_id - 1] = row.state
        left = {row.message_id for row in select(connection, "SELECT message_id FROM chunk")}
        counted = select(connection, "SELECT sum(recipients) AS n FROM message_delta")[0].n
    expected: dict[int, dict[int, str]] = {}
    for key, one in made.items():
        books = one.books()
        if rows.is_idle(books, books.rows[0]):
            after = rows.end_idle(books, books.rows[0], one.policy)
            expected[key] = {who: end for who, end in enumerate(after.ledger) if end != OPEN}
    assert found == expected
    assert left == made.keys() - expected.keys()
    assert counted == sum(map(len, expected.values()))


def test_a_window_opens_exactly_when_the_control_row_says_so(
    chunks: tuple[Engine, dict[int, Moment]],
) -> None:
    database, made = chunks
    with database.connect() as connection:
        found = select(connection, "SELECT app_id, message_id, credential_id FROM chunk")
    plain = lease_of(2, "at_most_once")
    leases = [
        replace(
            plain,
            message=replace(plain.message, app_id=row.app_id, id=row.message_id),
            credential_id=row.credential_id,
        )
        for row in found
    ]

    with driver_connection(database) as driver:
        opens = {lease.message.id for lease in leases if read_control(driver, lease).may_send()}

    assert opens == {key for key, one in made.items() if one.books().may_send()}
