"""Attributes as they are discovered, declared, limited and looked at."""

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from segments.attributes import profile, repository
from segments.attributes.kinds import Kind, find_faults, fits, kind_of
from segments.attributes.service import admit
from segments.people import importing, service
from segments.people.person import PersonChange
from tests.segments.identity.town import Town, found

_ODD = [
    "",
    "2026-03-01",
    "2026-03-01T12:00:00Z",
    "2026-3-1",
    "abcd-ef",
    "٢٠٢٦-03-01",
    "2026-03-01\n",
]
_VALUES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(_ODD)
    | st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2)
    | st.dictionaries(st.text("ab", max_size=2), st.none())
)  # fmt: skip
_CHANGES = st.lists(
    st.builds(
        PersonChange,
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from(["x", "y", "ü"]), _VALUES, max_size=3),
    ),
    max_size=6,
)


@pytest.fixture
def town(connection: Connection) -> Town:
    return found(connection)


def _counts(town: Town) -> dict[str, dict[str, int]]:
    listed = repository.list_after(town.connection, town.app_id, 0, 100)
    return {one.name: dict(one.kinds) for one in listed if one.kinds}


def _admit(town: Town, *changes: PersonChange, limit: int = 10) -> dict[int, list[tuple[str, str]]]:
    faults = admit(town.connection, town.app_id, dict(enumerate(changes)), names_limit=limit)
    return {key: [(one.pointer, one.code) for one in found] for key, found in faults.items()}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(_CHANGES, max_size=4), by_file=st.booleans())
def test_the_counts_are_those_of_the_people(
    connection: Connection, batches: list[list[PersonChange]], *, by_file: bool
) -> None:
    town = found(connection)
    expected: dict[str, dict[str, Any]] = defaultdict(dict)
    for number, batch in enumerate(batches):
        admit(connection, town.app_id, dict(enumerate(batch)), names_limit=10)
        if by_file:
            importing.merge_lines(connection, town.app_id, list(enumerate(batch)))
        else:
            service.write(connection, town.app_id, batch)
        if number % 2:
            repository.roll_up(connection)
        for change in batch:
            merged = {**expected[change.external_id], **change.attributes}
            expected[change.external_id] = {k: v for k, v in merged.items() if v is not None}

    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for attributes in expected.values():
        for name, value in attributes.items():
            kinds[name][kind_of(value).value] += 1
    assert _counts(town) == {name: dict(count) for name, count in kinds.items()}


@pytest.mark.parametrize("value", [*_ODD, True, 1, 1.5, [1], {"a": 1}])
def test_the_database_sees_the_same_kinds(town: Town, value: Any) -> None:
    town.put("ada", x=value)
    seen = town.run(
        "SELECT attribute_kind(attributes -> 'x') AS kind FROM person WHERE app_id = :app_id"
    )

    assert seen[0].kind == kind_of(value)


def test_mixed_types_are_all_told(town: Town) -> None:
    for name, value in (("ada", 1), ("bob", "1"), ("cyd", "one"), ("dan", 2)):
        assert _admit(town, PersonChange(name, {"age": value})) == {}
        town.put(name, age=value)

    assert _counts(town) == {"age": {"number": 2, "text": 2}}


def test_a_text_may_be_a_time_but_no_time_is_any_text() -> None:
    assert fits("2026-03-01", Kind.TEXT)
    assert not fits("soon", Kind.TIME)
    assert fits(None, Kind.NUMBER)
    assert not fits(1, Kind.BOOLEAN)
    assert kind_of(value=True) is Kind.BOOLEAN


def test_another_kind_than_declared_is_refused_with_a_pointer(town: Town) -> None:
    repository.declare(town.connection, town.app_id, "a/b~c", {"declared": "number"})
    good = PersonChange("ada", {"a/b~c": 1.5, "other": "x"})
    bad = PersonChange("bob", {"a/b~c": "1.5"})

    assert _admit(town, good, bad) == {1: [("/attributes/a~1b~0c", "wrong_type")]}


def test_depth_is_limited() -> None:
    value: Any = 1
    for _ in range(8):
        value = [value]
    assert list(find_faults({"deep": value}, {})) == []
    assert [one.code for one in find_faults({"deep": [value]}, {})] == ["too_deep"]
    assert [one.code for one in find_faults({"deep": {"x": value}}, {})] == ["too_deep"]


def test_an_app_has_a_limited_number_of_names(town: Town) -> None:
    first = PersonChange("ada", {"a": 1, "b": 2})
    assert _admit(town, first, limit=3) == {}
    too_many = PersonChange("bob", {"c": 1, "d": 2})
    fits_in = PersonChange("cyd", {"c": 1, "a": 1, "gone": None})

    assert _admit(town, too_many, fits_in, PersonChange("dan", {"e": 1}), limit=3) == {
        0: [("/attributes/c", "too_many_names"), ("/attributes/d", "too_many_names")],
        2: [("/attributes/e", "too_many_names")],
    }


def test_a_name_that_nobody_has_any_more_is_forgotten(town: Town) -> None:
    for name in ("kept", "gone", "declared"):
        _admit(town, PersonChange("ada", {name: 1}))
    town.put("ada", kept=1, gone=1)
    repository.declare(town.connection, town.app_id, "declared", {"declared": "number"})
    town.put("ada", gone=None)
    repository.roll_up(town.connection)
    town.run(
        "UPDATE attribute SET created_at = now() - interval '2 hours' "
        "WHERE app_id = :app_id RETURNING id"
    )
    repository.forget_unused(town.connection)

    listed = repository.list_after(town.connection, town.app_id, 0, 10)
    assert [one.name for one in listed] == ["kept", "declared"]


def test_values_of_few_people_are_counted(town: Town) -> None:
    for number in range(9):
        change = PersonChange(f"p{number}", {"plan": "pro" if number % 3 else "free", "n": number})
        _admit(town, change)
        service.write(town.connection, town.app_id, [change])
    repository.roll_up(town.connection)
    profile.profile(town.connection, town.app_id)

    plan, number_of = (
        repository.find(town.connection, town.app_id, name) for name in ("plan", "n")
    )
    assert plan is not None
    assert number_of is not None
    assert (plan.distinct_values, plan.is_whole, plan.examples) == (2, True, ["pro", "free"])
    assert (number_of.distinct_values, number_of.values_seen) == (9, 9)
    assert len(number_of.examples or ()) == 5


def test_values_of_many_are_estimated_from_a_sample(town: Town) -> None:
    town.run(
        "WITH made AS (INSERT INTO person (app_id, external_id, attributes) "
        "SELECT :app_id, 'p' || n, jsonb_build_object('plan', n % 4, 'own', n) "
        "FROM generate_series(1, 20000) n RETURNING id) SELECT count(*) FROM made"
    )
    repository.roll_up(town.connection)
    profile.profile(town.connection, town.app_id, sample=2_000)

    plan, own = (repository.find(town.connection, town.app_id, name) for name in ("plan", "own"))
    assert plan is not None
    assert own is not None
    assert (plan.distinct_values, plan.is_whole) == (4, False)
    assert plan.kinds == {"number": 20_000}
    # All that were seen differ: so do all.
    assert own.distinct_values == 20_000
    assert 1_500 < (own.values_seen or 0) <= 2_000


def test_a_long_value_is_shown_in_part(town: Town) -> None:
    town.put("ada", long="x" * 5_000, deep={"list": ["y" * 5_000]})
    repository.roll_up(town.connection)
    profile.profile(town.connection, town.app_id)

    for name in ("long", "deep"):
        one = repository.find(town.connection, town.app_id, name)
        assert one is not None
        assert len((one.examples or [""])[0]) == 100


def test_apps_are_looked_at_when_they_have_changed(town: Town) -> None:
    town.put("ada", a=1)
    repository.roll_up(town.connection)

    # Apps that other tests have left are looked at, too, each once.
    seen = list(iter(lambda: profile.profile_next(town.connection), None))

    assert seen.count(town.app_id) == 1
