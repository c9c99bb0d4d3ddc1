"""Many write about the same people at once while others merge them: nobody waits in a circle."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors as postgres
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.database import driver_of, open_engine, rows
from core.errors import CarillonError
from segments.identity import merging, naming
from segments.people import service
from segments.people.person import PersonChange
from segments.people.resolving import PersonRef, RefKind, resolve_people
from tests.segments.identity.town import found

_WORKERS, _ROUNDS, _STEPS = 8, 25, 6
_NAMES = ("ada", "bob", "cyd", "dan", "eve", "Zoe")
Step = Callable[[Connection, int, random.Random], None]


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    engine = open_engine(fresh_database, pool_size=_WORKERS + 1)
    yield engine
    engine.dispose()


def _write(connection: Connection, app_id: int, rng: random.Random) -> None:
    names = rng.sample(_NAMES, 3)
    consents = {"push": rng.random() < 0.5} if rng.random() < 0.5 else {}
    changes = [PersonChange(name, {"x": rng.random()}, consents=consents) for name in names]
    service.write(connection, app_id, changes)


def _resolve(connection: Connection, app_id: int, rng: random.Random) -> None:
    refs = [PersonRef(RefKind.EXTERNAL, name) for name in rng.sample(_NAMES, 3)]
    refs += [PersonRef(RefKind.ANONYMOUS, str(rng.randrange(3)))]
    found = resolve_people(driver_of(connection), app_id, refs)
    for ref in refs:
        # As events would: what it found must hold.
        rows(
            connection,
            "INSERT INTO consent_change (app_id, person_id, kind, granted, source) "
            "VALUES (:app_id, :person_id, 'push', true, 'test') RETURNING id",
            app_id=app_id,
            person_id=found[ref].person_id,
        )


def _merge(connection: Connection, app_id: int, rng: random.Random) -> None:
    into, other = rng.sample(_NAMES, 2)
    merging.merge(connection, app_id, into, other)


def _identify(connection: Connection, app_id: int, rng: random.Random) -> None:
    naming.identify(connection, app_id, f"anonymous:{rng.randrange(3)}", rng.choice(_NAMES))


def _alias(connection: Connection, app_id: int, rng: random.Random) -> None:
    naming.alias(connection, app_id, *rng.sample(_NAMES, 2))


_KINDS: tuple[Step, ...] = (_write, _write, _write, _resolve, _resolve, _merge, _identify, _alias)


def _work(engine: Engine, app_id: int, seed: int, gate: threading.Barrier) -> Counter[str]:
    rng = random.Random(seed)
    ends: Counter[str] = Counter()
    gate.wait(timeout=60)
    for _ in range(_STEPS):
        step = rng.choice(_KINDS)
        try:
            with engine.begin() as connection:
                step(connection, app_id, rng)
        except CarillonError as refusal:
            ends[refusal.code] += 1
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if not isinstance(cause, postgres.DeadlockDetected | postgres.UniqueViolation):
                raise
            ends[f"{step.__name__} {type(cause).__name__}"] += 1
        else:
            ends["done"] += 1
    return ends


def test_nobody_waits_in_a_circle_and_nobody_writes_about_who_is_no_more(engine: Engine) -> None:
    ends: Counter[str] = Counter()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for number in range(_ROUNDS):
            with engine.begin() as connection:
                app_id = found(connection).app_id
            gate = threading.Barrier(_WORKERS)
            seeds = [number * _WORKERS + worker for worker in range(_WORKERS)]
            running = [pool.submit(_work, engine, app_id, seed, gate) for seed in seeds]
            for one in running:
                ends.update(one.result())

    refused = {"invalid_payload", "same_person", "already_identified", "alias_taken"}
    assert ends.keys() <= {"done", *refused}, ends
    assert ends["done"] > ends.total() / 2, ends
    with engine.connect() as connection:
        for table in ("consent", "consent_change", "person_name"):
            lost = rows(
                connection,
                f"SELECT t.* FROM {table} t LEFT JOIN person p "
                "ON p.app_id = t.app_id AND p.id = t.person_id WHERE p.id IS NULL",
            )
            assert lost == [], table
