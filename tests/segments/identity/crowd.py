"""Workers that change who people are at the same time, each step in a transaction of its own."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import psycopg
from psycopg import errors as postgres
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.database import rows
from core.errors import CarillonError
from segments.identity import merging, naming
from segments.identity.names import hold_ids
from segments.people import service
from segments.people.person import PersonChange
from segments.people.resolving import PersonRef, RefKind, resolve_people
from tests.segments.identity.model import Step

KNOWN = ("ada", "bob", "cyd")
ANONYMOUS = ("anonymous:1", "anonymous:2")
NAMES = (*KNOWN, *ANONYMOUS)
_KINDS = (
    *("event", "event", "put", "device", "device", "consent", "alias", "identify"),
    *("merge", "merge", "undo", "undo", "undo"),
)


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was taken: its place among all, and the merge it made."""

    number: int
    step: Step
    merge: str | None = None


@dataclass
class Log:
    """What workers did in one app."""

    app_id: int
    done: list[Done] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)


def make_steps(rng: random.Random, count: int) -> list[Step]:
    """Return steps that somebody wants to take."""
    return [_make_step(rng, number) for number in range(count)]


def _make_step(rng: random.Random, number: int) -> Step:
    kind = rng.choice(_KINDS)
    first, second = rng.choice(NAMES), rng.choice(NAMES)
    values: dict[str, Any] = {
        "event": rng.randrange(1_000_000),
        "put": {name: rng.randrange(9) for name in rng.sample(["sum", "least"], rng.randint(1, 2))},
        "consent": rng.random() < 0.5,
    }
    if kind == "identify":
        first, second = rng.choice(ANONYMOUS), rng.choice(KNOWN)
    if kind == "device":
        second = rng.choice(["phone", "tablet"])
    return Step(kind, first, second, values.get(kind))


def run_together(
    engine: Engine, pool: ThreadPoolExecutor, app_id: int, plans: Sequence[Sequence[Step]]
) -> Log:
    """Let one worker take each of the plans, all at once."""
    log = Log(app_id)
    gate = threading.Barrier(len(plans))
    running = [pool.submit(_work, engine, log, plan, gate) for plan in plans]
    for one in running:
        one.result()
    return log


def _work(engine: Engine, log: Log, plan: Sequence[Step], gate: threading.Barrier) -> None:
    made: list[str] = []
    gate.wait(timeout=60)
    for step in plan:
        if step.kind == "undo" and step.value is None:
            if not made:
                continue
            step = step._replace(value=made[-1])  # noqa: PLW2901
        merge = _take(engine, log, step)
        if merge is not None:
            made.append(merge)


def _take(engine: Engine, log: Log, step: Step) -> str | None:
    while True:
        try:
            with engine.begin() as connection:
                made = _STEPS[step.kind](connection, log.app_id, step)
                # While everything that the step has touched is still locked.
                number = made if isinstance(made, int) else _draw(connection)
        except CarillonError as refusal:
            log.refused.append(refusal.code)
            return None
        except DBAPIError as error:
            if isinstance(error.orig, postgres.UniqueViolation | postgres.DeadlockDetected):
                log.collisions.append(type(error.orig).__name__)
                continue
            raise
        merge = made if isinstance(made, str) else None
        log.done.append(Done(number, step, merge))
        return merge


def _draw(connection: Connection) -> int:
    return int(rows(connection, "SELECT nextval('step_number') AS number")[0].number)


def _event(connection: Connection, app_id: int, step: Step) -> None:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    names = (step.first, step.second)
    refs = {name: _ref(name) for name in names}
    found = resolve_people(driver, app_id, list(dict.fromkeys(refs.values())))
    _dawdle(connection, step)
    for name in names:
        rows(
            connection,
            """INSERT INTO event (app_id, person_id, uuid, name, at)
               VALUES (:app_id, :person_id, :uuid, :name, now()) RETURNING id""",
            app_id=app_id,
            person_id=found[refs[name]].person_id,
            uuid=uuid4(),
            name=str(step.value),
        )


def _dawdle(connection: Connection, step: Step) -> None:
    """Now and then let others come in between knowing who somebody is and writing about them."""
    if (len(step.first) + ord(step.second[-1])) % 2:
        connection.exec_driver_sql("SELECT pg_sleep(0.004)")


def _ref(name: str) -> PersonRef:
    start, _, rest = name.partition(":")
    return PersonRef(RefKind.ANONYMOUS, rest) if rest else PersonRef(RefKind.EXTERNAL, start)


def _put(connection: Connection, app_id: int, step: Step) -> None:
    changes = [PersonChange(name, step.value) for name in (step.first, step.second)]
    service.write(connection, app_id, changes)


def _device(connection: Connection, app_id: int, step: Step) -> None:
    person_id = hold_ids(connection, app_id, [step.first]).get(step.first)
    if person_id is None:
        raise CarillonError("nobody")
    _dawdle(connection, step)
    rows(
        connection,
        """INSERT INTO device (app_id, public_id, installation_id, person_id, platform)
           VALUES (:app_id, :public_id, :installation, :person_id, 'ios')
           ON CONFLICT (app_id, installation_id) DO UPDATE SET person_id = excluded.person_id
           RETURNING id""",
        app_id=app_id,
        public_id=f"dev_{app_id}_{step.second}",
        installation=step.second,
        person_id=person_id,
    )


def _consent(connection: Connection, app_id: int, step: Step) -> int:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    ref = _ref(step.first)
    person_id = resolve_people(driver, app_id, [ref])[ref].person_id
    # Decided at the moment of its place: the newest one holds, whoever writes last.
    _dawdle(connection, step)
    number = _draw(connection)
    rows(
        connection,
        """INSERT INTO consent AS c (app_id, person_id, kind, granted, source, at)
           VALUES (:app_id, :person_id, 'push', :granted, 'api',
                   CAST('2026-01-01' AS timestamptz) + make_interval(secs => :number))
           ON CONFLICT (app_id, person_id, kind) DO UPDATE
           SET granted = excluded.granted, at = excluded.at WHERE excluded.at > c.at
           RETURNING kind""",
        app_id=app_id,
        person_id=person_id,
        granted=step.value,
        number=number,
    )
    return number


def _alias(connection: Connection, app_id: int, step: Step) -> None:
    naming.alias(connection, app_id, step.first, step.second)


def _identify(connection: Connection, app_id: int, step: Step) -> str | None:
    made = naming.identify(connection, app_id, step.first, step.second).merge
    return made.public_id if made else None


def _merge(connection: Connection, app_id: int, step: Step) -> str | None:
    made = merging.merge(connection, app_id, step.first, step.second)
    return made.merge.public_id if made.is_new else None


def _undo(connection: Connection, app_id: int, step: Step) -> None:
    merging.undo(connection, app_id, step.value, hours=24)


_STEPS: dict[str, Callable[[Connection, int, Step], str | int | None]] = {
    "event": _event,
    "put": _put,
    "device": _device,
    "consent": _consent,
    "alias": _alias,
    "identify": _identify,
    "merge": _merge,
    "undo": _undo,
}
