"""People as they were: every moment of a random past, told from the present back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from core.database import drop_month_partitions, rows
from segments.history.as_of import people_as_of
from segments.history.repository import list_of_person
from segments.identity import merging
from tests.segments.identity.town import Town, found

_NAMES = ("ada", "bob", "cyd")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "tell", "merge", "undo"]),
        st.sampled_from(_NAMES),
        st.sampled_from(_NAMES),
        st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 3), max_size=2),
    ),
    max_size=12,
)


def _now(town: Town) -> datetime:
    moment: datetime = town.run("SELECT clock_timestamp() AS now, :app_id AS app")[0].now
    return moment


def _all(town: Town) -> dict[int, Any]:
    found = town.run("SELECT id, attributes, locale FROM person WHERE app_id = :app_id")
    return {row.id: (row.attributes, row.locale) for row in found}


def _take(town: Town, step: tuple[str, str, str, dict[str, Any]], made: list[str]) -> None:
    kind, first, second, values = step
    names = {
        row.external_id
        for row in town.run("SELECT external_id FROM person_name WHERE app_id = :app_id")
    }
    if kind == "put":
        town.put(first, **values)
    elif kind == "tell":
        town.tell(first, locale=None if values else "de")
    elif (
        kind == "merge"
        and {first, second} <= names
        and town.inner_id(first) != town.inner_id(second)
    ):
        made.append(merging.merge(town.connection, town.app_id, first, second).merge.public_id)
    elif kind == "undo" and made:
        merging.undo(town.connection, town.app_id, made.pop(), hours=24)
    # In one transaction everybody would have been made at its beginning.
    town.run(
        "UPDATE person SET created_at = clock_timestamp() "
        "WHERE app_id = :app_id AND created_at = now() RETURNING id"
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_STEPS)
def test_every_moment_is_known_exactly(connection: Connection, steps: list[Any]) -> None:
    town, made, past = found(connection), list[str](), []
    for step in steps:
        _take(town, step, made)
        past.append((_now(town), _all(town)))

    for moment, expected in past:
        told = people_as_of(connection, town.app_id, moment)
        assert {one.id: (one.attributes, one.locale) for one in told} == expected
        some = sorted(expected)[:1]
        told = people_as_of(connection, town.app_id, moment, some)
        assert {one.id: (one.attributes, one.locale) for one in told} == {
            one: expected[one] for one in some
        }


def test_nobody_is_there_before_they_were_made(connection: Connection) -> None:
    town = found(connection)
    town.put("ada", x=1)

    assert people_as_of(connection, town.app_id, datetime.now(UTC) - timedelta(days=1)) == []


def test_each_change_is_told_with_what_was_before(connection: Connection) -> None:
    town = found(connection)
    town.put("ada", plan="free", city="London")
    town.put("ada", plan="pro", city=None, new=1)
    town.tell("ada", locale="en")
    town.put("ada", plan="pro")
    first = list_of_person(connection, town.app_id, town.inner_id("ada"), before=None, limit=1)
    rest = list_of_person(
        connection, town.app_id, town.inner_id("ada"), before=first[0].id, limit=9
    )

    assert (first[0].about_before, first[0].about_after) == ({"locale": None}, {"locale": "en"})
    assert [(one.before, one.after) for one in rest] == [
        ({"plan": "free", "city": "London"}, {"plan": "pro", "new": 1})
    ]


def test_a_merge_is_told_as_the_cause(connection: Connection) -> None:
    town = found(connection)
    town.put("ada", plan="free")
    town.put("bob", size="L")
    made = merging.merge(connection, town.app_id, "ada", "bob").merge
    merging.undo(connection, town.app_id, made.public_id, hours=24)
    town.put("ada", plan="pro")
    changes = list_of_person(connection, town.app_id, made.into_id, before=None, limit=9)

    assert [one.cause for one in changes] == [
        None, f"undo {made.public_id}", f"merge {made.public_id}",
    ]  # fmt: skip


def test_old_partitions_are_dropped_and_the_others_stay(connection: Connection) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE person_change_2020_01 PARTITION OF person_change "
        "FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')"
    )
    before = rows(
        connection,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = CAST('person_change' AS regclass)",
    )
    dropped = drop_month_partitions(
        connection, "person_change", datetime.now(UTC).date() - timedelta(days=400)
    )
    after = rows(
        connection,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = CAST('person_change' AS regclass)",
    )

    assert dropped == ["person_change_2020_01"]
    assert before[0].count - after[0].count == 1
