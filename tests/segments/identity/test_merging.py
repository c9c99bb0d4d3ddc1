"""Two people become one, and two again."""

import pytest
from sqlalchemy import Connection

from core.errors import InvalidPayloadError
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind
from segments.identity import merges, merging, naming
from segments.identity.errors import (
    AlreadyIdentifiedError,
    MergedTooLargeError,
    MergeNotFoundError,
    SamePersonError,
    TooManyAliasesError,
    UndoExpiredError,
    UndoOutOfOrderError,
)
from segments.people import repository
from tests.segments.identity.town import Town, found

_HOURS = 24


@pytest.fixture
def town(connection: Connection) -> Town:
    town = found(connection)
    town.put("ada", plan="free", points=3, city="London", only_ada=True)
    town.tell("ada", locale="en-GB")
    town.put("bob", plan="pro", points=4, size="L")
    town.tell("bob", country="GB")
    for name, hours in (("ada", 48), ("bob", 24)):
        town.run(
            "UPDATE person SET created_at = created_at - make_interval(hours => :hours) "
            "WHERE app_id = :app_id AND external_id = :name RETURNING id",
            name=name,
            hours=hours,
        )
        town.device(name, f"phone of {name}")
        town.event(name, f"seen {name}")
    town.consent("ada", "push", "2026-11-01", granted=True)
    town.consent("bob", "push", "2026-11-02", granted=False)
    town.consent("bob", "analytics", "2026-11-02", granted=True)
    return town


def _rule(town: Town, name: str, rule: str) -> None:
    town.run(
        "INSERT INTO attribute (app_id, name, on_merge) VALUES (:app_id, :name, :rule) "
        "RETURNING name",
        name=name,
        rule=rule,
    )


def _attributes(town: Town, name: str) -> dict[str, object]:
    person = repository.find(town.connection, town.app_id, name)
    assert person is not None
    return dict(person.attributes)


def test_everything_of_the_one_belongs_to_the_other(town: Town) -> None:
    stays, goes = town.inner_id("ada"), town.inner_id("bob")
    made = merging.merge(town.connection, town.app_id, "ada", "bob")

    picture = town.picture()
    assert made.is_new
    assert made.merge.counts == {"devices": 1, "events": 1, "consents": 2}
    assert [row[0] for row in picture["people"]] == [stays]
    assert picture["names"] == [("ada", stays, False), ("bob", stays, True)]
    assert {row[1] for row in picture["devices"]} == {stays}
    assert {row[2] for row in picture["events"]} == {stays}
    assert picture["successors"] == [(goes, stays)]


def test_of_two_values_the_newer_one_stays(town: Town) -> None:
    town.put("ada", city="Paris")
    town.put("bob", plan="team")
    merging.merge(town.connection, town.app_id, "ada", "bob")

    person = repository.find(town.connection, town.app_id, "bob")
    assert person is not None
    assert person.external_id == "ada"
    assert person.attributes == {
        "plan": "team", "points": 4, "city": "Paris", "only_ada": True, "size": "L",
    }  # fmt: skip
    assert (person.locale, person.country) == ("en-GB", "GB")


@pytest.mark.parametrize(
    ("rule", "points"), [("keep", 3), ("sum", 7), ("min", 3), ("max", 4), ("newest", 4)]
)
def test_an_attribute_has_its_own_rule(town: Town, rule: str, points: int) -> None:
    _rule(town, "points", rule)
    merging.merge(town.connection, town.app_id, "ada", "bob")

    assert _attributes(town, "ada")["points"] == points


def test_of_two_decisions_the_newer_one_holds_and_all_are_kept(town: Town) -> None:
    merging.merge(town.connection, town.app_id, "ada", "bob")

    picture = town.picture()
    assert [(row[1], row[2]) for row in picture["consents"]] == [
        ("analytics", True), ("push", False),
    ]  # fmt: skip
    assert len({row[1] for row in picture["decisions"]}) == 1
    assert len(picture["decisions"]) == 3


def test_of_two_decisions_at_one_moment_the_refusal_holds(connection: Connection) -> None:
    for first in (True, False):
        town = found(connection)
        for name, granted in (("ada", first), ("bob", not first)):
            town.put(name)
            town.consent(name, "push", "2026-11-01", granted=granted)
        merging.merge(connection, town.app_id, "ada", "bob")

        assert [row[2] for row in town.picture()["consents"]] == [False]


def test_an_undone_merge_leaves_no_trace_but_its_record(town: Town) -> None:
    _rule(town, "points", "sum")
    before = town.picture()
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    assert town.picture() != before
    undone = merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)

    assert town.picture() == before
    assert undone.undone_at is not None
    assert town.run("SELECT 1 FROM person_merge_move WHERE app_id = :app_id") == []


def test_merges_are_undone_in_the_other_order(town: Town) -> None:
    town.put("cyd", plan="team")
    town.device("cyd", "phone of cyd")
    start = town.picture()
    first = merging.merge(town.connection, town.app_id, "bob", "cyd").merge
    middle = town.picture()
    second = merging.merge(town.connection, town.app_id, "ada", "cyd").merge
    with pytest.raises(UndoOutOfOrderError):
        merging.undo(town.connection, town.app_id, first.public_id, hours=_HOURS)
    merging.undo(town.connection, town.app_id, second.public_id, hours=_HOURS)
    assert town.picture() == middle
    merging.undo(town.connection, town.app_id, first.public_id, hours=_HOURS)

    assert town.picture() == start


def test_a_later_merge_into_the_same_person_is_undone_first(town: Town) -> None:
    town.put("cyd")
    first = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    merging.merge(town.connection, town.app_id, "ada", "cyd")

    with pytest.raises(UndoOutOfOrderError):
        merging.undo(town.connection, town.app_id, first.public_id, hours=_HOURS)


def test_what_came_since_the_merge_stays(town: Town) -> None:
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    stays = made.into_id
    town.put("bob", size="XL", new=1)
    town.event("bob", "after")
    town.device("bob", "new phone")
    town.run(
        "UPDATE device SET person_id = NULL WHERE app_id = :app_id "
        "AND installation_id = 'phone of bob' RETURNING id"
    )
    town.consent("bob", "analytics", "2026-11-03", granted=False)
    merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)

    assert _attributes(town, "ada") == {
        "plan": "free", "points": 3, "city": "London", "only_ada": True, "size": "XL", "new": 1,
    }  # fmt: skip
    assert _attributes(town, "bob") == {"plan": "pro", "points": 4, "size": "L"}
    picture = town.picture()
    assert [row[2] for row in picture["events"] if row[3] == "after"] == [stays]
    assert [row[1] for row in picture["devices"]] == [stays, None, stays]
    assert (stays, "analytics", False) in [row[:3] for row in picture["consents"]]
    assert (made.from_id, "analytics", True) in [row[:3] for row in picture["consents"]]


def test_who_listens_is_told_of_merges_and_of_their_undoing(town: Town) -> None:
    outbox.subscribe(town.connection, town.app_id, "one", [Kind.PERSON_CHANGED])
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)

    told = town.run("SELECT facts FROM outbox WHERE app_id = :app_id ORDER BY id")
    assert [row.facts["people"] for row in told] == [
        [{"external_id": "ada", "is_new": False}],
        [{"external_id": "bob", "is_new": True}, {"external_id": "ada", "is_new": False}],
    ]


def test_a_repetition_returns_the_same_merge_in_either_direction(town: Town) -> None:
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    again = merging.merge(town.connection, town.app_id, "ada", "bob")
    turned = merging.merge(town.connection, town.app_id, "bob", "ada")

    assert (again.merge, again.is_new) == (made, False)
    assert (turned.merge, turned.is_new) == (made, False)


def test_an_undo_is_repeated_without_harm(town: Town) -> None:
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    once = merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)
    picture = town.picture()
    twice = merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)

    assert once == twice
    assert town.picture() == picture


def test_who_was_separated_can_be_merged_again(town: Town) -> None:
    first = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    merging.undo(town.connection, town.app_id, first.public_id, hours=_HOURS)
    second = merging.merge(town.connection, town.app_id, "bob", "ada")

    assert second.is_new
    assert second.merge.into_id == first.from_id


def test_a_merge_can_be_undone_for_a_time_only(town: Town) -> None:
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge
    town.run(
        "UPDATE person_merge SET merged_at = now() - interval '25 hours' "
        "WHERE app_id = :app_id RETURNING id"
    )
    town.run(
        "UPDATE person_merge_move SET created_at = now() - interval '26 hours' "
        "WHERE app_id = :app_id RETURNING merge_id"
    )
    with pytest.raises(UndoExpiredError):
        merging.undo(town.connection, town.app_id, made.public_id, hours=_HOURS)
    merges.forget_moved(town.connection, _HOURS)

    assert town.run("SELECT 1 FROM person_merge_move WHERE app_id = :app_id") == []


def test_nobody_is_merged_with_themselves(town: Town) -> None:
    naming.alias(town.connection, town.app_id, "ada", "ada@example.com")
    for other in ("ada", "ada@example.com"):
        with pytest.raises(SamePersonError):
            merging.merge(town.connection, town.app_id, "ada", other)


def test_unknown_people_and_merges_are_named(town: Town) -> None:
    with pytest.raises(InvalidPayloadError) as wrong:
        merging.merge(town.connection, town.app_id, "nobody", "bob")
    assert [field.pointer for field in wrong.value.fields] == ["/into"]
    with pytest.raises(InvalidPayloadError) as wrong:
        merging.merge(town.connection, town.app_id, "ada", "nobody")
    assert [field.pointer for field in wrong.value.fields] == ["/from"]
    with pytest.raises(MergeNotFoundError):
        merging.undo(town.connection, town.app_id, "mrg_none", hours=_HOURS)


def test_people_of_another_app_are_unknown(town: Town) -> None:
    other = found(town.connection)
    other.put("eve")
    made = merging.merge(town.connection, town.app_id, "ada", "bob").merge

    with pytest.raises(InvalidPayloadError):
        merging.merge(town.connection, town.app_id, "ada", "eve")
    with pytest.raises(MergeNotFoundError):
        merging.undo(town.connection, other.app_id, made.public_id, hours=_HOURS)


def test_two_who_are_too_large_together_stay_two(town: Town) -> None:
    town.put("cyd", a="x" * 20_000)
    town.put("dan", b="x" * 20_000)
    before = town.picture()
    with pytest.raises(MergedTooLargeError):
        merging.merge(town.connection, town.app_id, "cyd", "dan")

    assert town.picture() == before


def test_a_person_has_a_limited_number_of_names(town: Town) -> None:
    for number in range(merging.NAMES_LIMIT - 1):
        naming.alias(town.connection, town.app_id, "ada", f"ada {number}")
    with pytest.raises(TooManyAliasesError):
        naming.alias(town.connection, town.app_id, "ada", "one more")
    with pytest.raises(TooManyAliasesError):
        merging.merge(town.connection, town.app_id, "ada", "bob")


def test_nobody_known_becomes_anonymous(town: Town) -> None:
    town.put("anonymous:x")
    with pytest.raises(AlreadyIdentifiedError):
        merging.merge(town.connection, town.app_id, "anonymous:x", "ada")
