"""What is kept of people's reach stays equal while they become one, and two again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from core.database import open_engine
from core.errors import CarillonError
from segments.identity import merging
from segments.people import service
from segments.people.person import PersonChange
from tests.delivery.reach_steps import (
    CONSENT_STEPS,
    DEVICE_STEPS,
    PEOPLE,
    TARGET,
    counted,
    kept,
    run,
)
from tests.segments.identity.test_consents_meanwhile import wait_for_a_lock
from tests.segments.identity.town import Town, found

_NAMES = ("ada", "bob", "cyd")
_SAID = st.dictionaries(st.sampled_from(["push", "analytics"]), st.booleans(), min_size=1)
_STEPS = st.one_of(
    DEVICE_STEPS,
    CONSENT_STEPS,
    st.tuples(st.just("say"), st.dictionaries(st.sampled_from(_NAMES), _SAID, min_size=1)),
    st.tuples(st.just("merge"), st.permutations(_NAMES)),
    st.tuples(st.just("undo"), st.just(())),
)


def _town(connection: Connection) -> Town:
    town = found(connection)
    for name in _NAMES:
        town.put(name)
        town.device(name, name)
    run(connection, town.app_id, TARGET.replace("id % 3 = :part", "true"),
        {"kind": "token", "state": "active"})  # fmt: skip
    return town


class _Story:
    """Steps in a town; people in statements are those of the names, as long as they are there."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._ids = dict(zip(PEOPLE, map(town.inner_id, _NAMES), strict=True))
        self._merges: list[str] = []

    def take(self, what: str, values: Any) -> None:
        connection, app_id = self._town.connection, self._town.app_id
        if what == "say":
            changes = [PersonChange(name, consents=said) for name, said in values.items()]
            service.write(connection, app_id, changes)
        elif what == "merge":
            self._merge(*values[:2])
        elif what == "undo":
            if self._merges:
                merging.undo(connection, app_id, self._merges.pop(), hours=24)
        else:
            run(connection, app_id, what, {key: self._real(key, values[key]) for key in values})

    def _merge(self, into: str, other: str) -> None:
        try:
            made = merging.merge(self._town.connection, self._town.app_id, into, other)
        except CarillonError:
            return
        if made.is_new:
            self._merges.append(made.merge.public_id)

    def _real(self, key: str, value: Any) -> Any:
        if key == "people":
            return {self._ids[one] for one in value}
        return self._ids[value] if key in {"person", "other"} and value is not None else value


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, min_size=4, max_size=16))
def test_it_is_equal_after_every_step(connection: Connection, steps: Sequence[Any]) -> None:
    town = _town(connection)
    story = _Story(town)

    for what, values in steps:
        story.take(what, values)

        assert kept(connection, town.app_id) == counted(connection, town.app_id)


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    engine = open_engine(fresh_database, pool_size=4)
    yield engine
    engine.dispose()


def _retire(engine: Engine, app_id: int) -> None:
    with engine.begin() as connection:
        run(
            connection,
            app_id,
            "UPDATE target SET state = 'retired' WHERE app_id = :app_id AND device_id ="
            " (SELECT id FROM device WHERE app_id = :app_id AND installation_id = 'bob')",
            {},
        )


def test_a_target_that_ends_while_its_device_moves_is_counted_for_who_gets_it(
    engine: Engine,
) -> None:
    with engine.begin() as connection:
        app_id = _town(connection).app_id

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            merging.merge(connection, app_id, "ada", "bob")
            running = pool.submit(_retire, engine, app_id)
            wait_for_a_lock(engine)
        running.result(timeout=60)

    with engine.begin() as connection:
        found = kept(connection, app_id)
        assert found == counted(connection, app_id)
        assert [row[1] for row in found] == [1, 1]


def test_a_target_that_ends_while_nobodys_device_gets_an_owner_is_counted(engine: Engine) -> None:
    own = "UPDATE device SET person_id = :owner WHERE app_id = :app_id AND installation_id = 'bob'"
    with engine.begin() as connection:
        town = _town(connection)
        run(connection, town.app_id, own, {"owner": None})
        ada = town.inner_id("ada")

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            run(connection, town.app_id, own, {"owner": ada})
            running = pool.submit(_retire, engine, town.app_id)
            wait_for_a_lock(engine)
        running.result(timeout=60)

    with engine.begin() as connection:
        found = kept(connection, town.app_id)
        assert found == counted(connection, town.app_id)
        assert [row[1] for row in found] == [1, 1]


def _silence(engine: Engine, app_id: int) -> None:
    with engine.begin() as connection:
        denied = "UPDATE device SET permission = 'denied' WHERE app_id = :app_id"
        run(connection, app_id, denied, {})


def _undo(engine: Engine, app_id: int, merge: str) -> None:
    with engine.begin() as connection:
        merging.undo(connection, app_id, merge, hours=24)


def test_who_changes_devices_and_an_undo_do_not_wait_in_a_circle(engine: Engine) -> None:
    with engine.begin() as connection:
        town = _town(connection)
        for name in ("ada", "bob"):
            service.write(connection, town.app_id, [PersonChange(name, consents={"push": True})])
        merge = merging.merge(connection, town.app_id, "ada", "bob").merge.public_id

    with ThreadPoolExecutor(2) as pool:
        with engine.begin() as connection:
            connection.execute(text("SELECT FROM person_reach FOR UPDATE"))
            undoing = pool.submit(_undo, engine, town.app_id, merge)
            wait_for_a_lock(engine)
            silencing = pool.submit(_silence, engine, town.app_id)
            wait_for_a_lock(engine, count=2)
        undoing.result(timeout=60)
        silencing.result(timeout=60)

    with engine.begin() as connection:
        assert kept(connection, town.app_id) == counted(connection, town.app_id)


def _say(engine: Engine, app_id: int, **said: bool) -> None:
    changes = [PersonChange(name, consents={"push": granted}) for name, granted in said.items()]
    with engine.begin() as connection:
        service.write(connection, app_id, changes)


def test_who_changes_devices_and_people_who_say_something_do_not_wait_in_a_circle(
    engine: Engine,
) -> None:
    with engine.begin() as connection:
        town = _town(connection)
        ada = town.inner_id("ada")
    # Bob changes his mind and ada, who comes before him, says it for the first time.
    _say(engine, town.app_id, bob=False)

    with ThreadPoolExecutor(2) as pool:
        with engine.begin() as connection:
            hold = text("SELECT FROM person_reach WHERE person_id = :ada FOR UPDATE")
            connection.execute(hold, {"ada": ada})
            silencing = pool.submit(_silence, engine, town.app_id)
            wait_for_a_lock(engine)
            saying = pool.submit(_say, engine, town.app_id, ada=True, bob=True)
            wait_for_a_lock(engine, count=2)
        silencing.result(timeout=60)
        saying.result(timeout=60)

    with engine.begin() as connection:
        found = kept(connection, town.app_id)
        assert found == counted(connection, town.app_id)
        assert [row[-1] for row in found] == [True, True, None]
