"""Many at once end as one after the other: true transactions against the sequential model.

Each step draws its place while it holds its locks, so the places are an order in which the steps
could have been taken one by one. The model takes them in that order.
"""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.database import open_engine
from tests.delivery.reach_steps import counted, kept
from tests.segments.identity.crowd import KNOWN, Log, make_steps, run_together
from tests.segments.identity.model import Model, RefusedError, Step
from tests.segments.identity.town import Town, found

_WORKERS, _STEPS = 3, 4
_ATTRIBUTES = {"sum": "sum", "least": "min"}


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    engine = open_engine(fresh_database, pool_size=_WORKERS + 1)
    with engine.begin() as connection:
        connection.execute(text("CREATE SEQUENCE step_number"))
    yield engine
    engine.dispose()


def _interleave(engine: Engine, seeds: range) -> Counter[str]:
    """Run one app for each seed and compare; return how often each kind of step was taken."""
    taken: Counter[str] = Counter()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for seed in seeds:
            rng = random.Random(seed)
            with engine.begin() as connection:
                town = _new_town(connection)
                town.put(rng.choice(KNOWN), sum=1)
            first = Step("put", *_first_names(engine, town.app_id), {"sum": 1})
            plans = [make_steps(rng, _STEPS) for _ in range(_WORKERS)]
            log = run_together(engine, pool, town.app_id, plans)
            expected = _replay(log, first)
            with engine.connect() as connection:
                assert _picture(Town(connection, town.app_id)) == expected, (seed, log)
                _check_whole(Town(connection, town.app_id))
            taken.update(one.step.kind for one in log.done)
            taken["refused"] += len(log.refused)
            taken["deadlock"] += log.collisions.count("DeadlockDetected")
            taken["merged"] += sum(one.merge is not None for one in log.done)
    return taken


def _new_town(connection: Any) -> Town:
    town = found(connection)
    for name, rule in _ATTRIBUTES.items():
        town.run(
            "INSERT INTO attribute (app_id, name, on_merge) VALUES (:app_id, :name, :rule) "
            "RETURNING id",
            name=name,
            rule=rule,
        )
    return town


def _first_names(engine: Engine, app_id: int) -> tuple[str, str]:
    with engine.connect() as connection:
        found = Town(connection, app_id).run(
            "SELECT external_id FROM person WHERE app_id = :app_id"
        )
    return found[0].external_id, found[0].external_id


def _replay(log: Log, first: Step) -> dict[str, Any]:
    model = Model()
    numbers: dict[str, int] = {}
    model.take(first, 0)
    for one in sorted(log.done, key=lambda done: done.number):
        step = one.step
        if step.kind == "undo":
            step = step._replace(value=numbers[step.value])
        before = set(model.merges)
        try:
            model.take(step, one.number)
        except RefusedError:
            pytest.fail(f"the model refuses {step} of {log}")
        assert (one.merge is not None) == bool(set(model.merges) - before), (step, log)
        if one.merge is not None:
            numbers[one.merge] = one.number
    return model.picture()


def _picture(town: Town) -> dict[str, Any]:
    listed = town.run("SELECT id, external_id, attributes FROM person WHERE app_id = :app_id")
    seen = town.picture()
    installations = dict(town.run("SELECT id, installation_id FROM device WHERE app_id = :app_id"))
    return {
        row.external_id: {
            "names": sorted(name for name, who, _ in seen["names"] if who == row.id),
            "attributes": row.attributes,
            "events": sorted(int(name) for _, _, who, name in seen["events"] if who == row.id),
            "devices": sorted(installations[one] for one, who in seen["devices"] if who == row.id),
            "push": next((yes for who, _, yes, *_ in seen["consents"] if who == row.id), None),
        }
        for row in listed
    }


def _check_whole(town: Town) -> None:
    """Nothing is left with somebody who is no more, and counts are those of the people."""
    for table in ("event", "device", "consent", "person_name"):
        lost = town.run(
            f"SELECT * FROM {table} t WHERE app_id = :app_id AND person_id IS NOT NULL AND "
            "NOT EXISTS (SELECT FROM person p WHERE p.app_id = t.app_id AND p.id = t.person_id)"
        )
        assert lost == [], table
    attributes = town.run(
        "SELECT key, attribute_kind(value), count(*) FROM person, jsonb_each(attributes) "
        "WHERE app_id = :app_id GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert town.picture()["counts"] == [tuple(row) for row in attributes]
    assert kept(town.connection, town.app_id) == counted(town.connection, town.app_id)
    own = (
        "SELECT count(*) FROM person_name n JOIN person p ON p.app_id = n.app_id "
        "AND p.id = n.person_id WHERE n.app_id = :app_id "
        "AND (n.external_id = p.external_id) = n.is_alias"
    )
    assert town.run(own)[0].count == 0


def _check_taken(taken: Counter[str]) -> None:
    assert taken["deadlock"] == 0, taken
    kinds = ("event", "put", "device", "consent", "alias", "identify", "merge", "undo", "merged")
    assert all(taken[kind] > 0 for kind in kinds), taken


def test_steps_at_once_end_as_one_after_the_other(engine: Engine) -> None:
    _check_taken(_interleave(engine, range(150)))


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_ten_thousand_interleavings_end_as_one_after_the_other(engine: Engine) -> None:
    _check_taken(_interleave(engine, range(1_000, 11_000)))


@pytest.mark.parametrize("seeds", [range(20)])
def test_one_worker_is_refused_exactly_what_the_model_refuses(engine: Engine, seeds: range) -> None:
    with ThreadPoolExecutor(1) as pool:
        for seed in seeds:
            rng = random.Random(-seed)
            with engine.begin() as connection:
                town = _new_town(connection)
            model = Model()
            numbers: dict[str, int] = {}
            for number, step in enumerate(make_steps(rng, 30), start=1):
                if step.kind == "undo":
                    if not numbers:
                        continue
                    step = step._replace(value=rng.choice(list(numbers)))  # noqa: PLW2901
                log = run_together(engine, pool, town.app_id, [[step]])
                known = step._replace(value=numbers[step.value]) if step.kind == "undo" else step
                place = log.done[0].number if log.done else number
                try:
                    model.take(known, place)
                except RefusedError:
                    assert log.refused, (seed, step)
                else:
                    assert log.done, (seed, step, log.refused)
                if log.done and log.done[0].merge:
                    numbers[log.done[0].merge] = place
                with engine.connect() as connection:
                    assert _picture(Town(connection, town.app_id)) == model.picture(), (seed, step)
