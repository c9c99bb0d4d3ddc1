"""PostgreSQL does with every step of the walked worlds exactly what `rows.record` does with it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from sqlalchemy import Engine

from core.database import driver_connection
from delivery.chunks import recording_repository
from delivery.chunks.chunk import Lease, Step
from tests.deadlines import note
from tests.delivery.conftest import LEASE_SECONDS, Held
from tests.delivery.engine.protocol import rows
from tests.delivery.engine.protocol.cases import ANSWERS, IN_VAIN, PEOPLE, REFUSED, TRIED
from tests.delivery.engine.protocol.exploring import explore
from tests.delivery.engine.protocol.rows import EXHAUSTED, OPEN, Books, Row, Statements
from tests.delivery.engine.protocol.state import Pending, State
from tests.delivery.engine.protocol.world import World

WALKED = (ANSWERS, IN_VAIN, PEOPLE, REFUSED, TRIED)
FENCE, CURSOR = 5, 7
Driver = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A step that a worker wrote: to which chunk, and how far its fence and cursor were off."""

    row: Row
    step: Step
    fence: int
    cursor: int


@dataclass(frozen=True, slots=True)
class Watched(World):
    """A world that notes what its workers write."""

    seen: set[Written] = field(default_factory=set)

    def write(self, state: State, one: Pending) -> Books | None:
        row = state.books.row(one.row_id)
        if row is not None:
            plain = row._replace(id=1, fence=0, cursor=0, left=rows.LEASE)
            self.seen.add(Written(plain, one.step, one.fence - row.fence, one.cursor - row.cursor))
        return World.write(self, state, one)


def walk() -> list[Written]:
    seen: set[Written] = set()
    for case in WALKED:
        for policy in ("at_most_once", "at_least_once"):
            world = case.of(policy)
            explore(
                Watched(
                    policy, world.recipients, world.answers, world.events, world.in_doubt_limit,
                    seen=seen,
                )
            )  # fmt: skip
    # What is off by one is walked to only where it does damage: here each step is tried so, too.
    others = itertools.cycle(((-1, 0), (0, -1), (0, 1)))
    return [
        replace(one, fence=fence, cursor=cursor)
        for one in sorted(seen, key=repr)
        for fence, cursor in ((0, 0), next(others))
    ]


def modelled(one: Written) -> tuple[Any, ...] | None:
    """Return what the model makes of a step: chunks, ends, and the credential."""
    # Whoever is not in the chunk any more ended before, and stands for nobody here.
    books = Books((one.row,), (OPEN,) * (1 + max(one.row.recipients)))
    held = (1, one.fence, one.cursor)
    after = rows.record(books, held, one.step, Statements(), 2)
    if after is None:
        return None
    chunks = sorted(
        (row.recipients, row.attempt, row.intended, row.open, row.remaining, row.left > 0)
        for row in after.rows
    )
    ends = [(who, end) for who, end in enumerate(after.ledger) if end != OPEN]
    return chunks, ends, after.credential


@dataclass(frozen=True, slots=True)
class Real:
    """The same with the statements of the platform, each step in a transaction of its own."""

    connection: Driver
    lease: Lease

    def write(self, one: Written) -> tuple[Any, ...] | None:
        devices = [self.lease.device_ids[who] for who in one.row.recipients]
        lease = replace(
            self.lease,
            attempt=one.row.attempt,
            device_ids=devices,
            person_ids=[None] * len(devices),
            fence=FENCE + one.fence,
        )
        with self.connection.transaction(force_rollback=True):
            self._put(one.row, devices)
            before = self._read()
            is_held = recording_repository.record(
                self.connection, lease, CURSOR + one.cursor, one.step, LEASE_SECONDS
            )
            after = self._read()
        assert is_held or after == before
        return after if is_held else None

    def _put(self, row: Row, devices: list[int]) -> None:
        self.connection.execute(
            "UPDATE chunk SET device_ids = %s, person_ids = array_fill(NULL::int8, ARRAY[%s]), "
            "attempt = %s, intended = %s, open = %s::int4[], remaining = %s, cursor = %s, "
            "fence = %s, lease_until = clock_timestamp() + interval '10 s'",
            (devices, len(devices), row.attempt, row.intended, list(row.open), row.remaining,
             CURSOR, FENCE),
        )  # fmt: skip

    def _read(self) -> tuple[Any, ...]:
        who = {device: number for number, device in enumerate(self.lease.device_ids)}
        cursor: psycopg.Cursor[Any] = self.connection.cursor(row_factory=namedtuple_row)
        chunks = cursor.execute(
            "SELECT device_ids, attempt, intended, open, remaining, "
            "coalesce(lease_until > clock_timestamp(), false) AS is_held FROM chunk"
        ).fetchall()
        ledger = cursor.execute("SELECT device_id, state, reason FROM ledger").fetchall()
        state = cursor.execute("SELECT state FROM credential").fetchall()[0].state
        return (
            sorted(
                (tuple(who[device] for device in row.device_ids), row.attempt, row.intended,
                 tuple(row.open), row.remaining, row.is_held)
                for row in chunks
            ),
            sorted((who[row.device_id], _end(row.state, row.reason)) for row in ledger),
            state,
        )  # fmt: skip


def _end(state: str, reason: str | None) -> str:
    return EXHAUSTED if reason == EXHAUSTED else state


@pytest.fixture
def real(held: Held) -> Iterator[Real]:
    database: Engine = held.database
    with driver_connection(database) as connection:
        yield Real(connection, held.lease)


def test_every_step_is_written_as_the_model_says(real: Real) -> None:
    written = walk()

    differences = [one for one in written if real.write(one) != modelled(one)]

    note(f"{len(written)} steps")
    assert differences == []
    assert len(written) > 500
