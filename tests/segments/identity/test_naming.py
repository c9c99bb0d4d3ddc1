"""More names for a person, and signing in."""

import pytest
from sqlalchemy import Connection

from core.errors import InvalidPayloadError
from segments.identity import merging, naming
from segments.identity.errors import (
    AliasNotFoundError,
    AliasTakenError,
    AlreadyIdentifiedError,
    SamePersonError,
    SplitRefusedError,
)
from segments.identity.naming import Outcome
from segments.people import importing, repository, service
from segments.people.person import PersonChange
from tests.segments.identity.town import Town, found


@pytest.fixture
def town(connection: Connection) -> Town:
    town = found(connection)
    town.put("ada", plan="free")
    return town


def _own(town: Town, name: str) -> str | None:
    person = repository.find(town.connection, town.app_id, name)
    return person.external_id if person else None


def test_a_person_is_found_by_every_name(town: Town) -> None:
    alias = naming.alias(town.connection, town.app_id, "ada", "ada@example.com")
    again = naming.alias(town.connection, town.app_id, "ada@example.com", "ada@example.com")

    assert (alias, again) == (Outcome.ALIASED, Outcome.UNCHANGED)
    assert _own(town, "ada@example.com") == "ada"


def test_what_is_written_under_several_names_is_written_to_one_person(town: Town) -> None:
    naming.alias(town.connection, town.app_id, "ada", "lovelace")
    changes = [
        PersonChange("lovelace", {"plan": "pro", "a": 1}),
        PersonChange("ada", {"a": 2}),
        PersonChange("new"),
    ]
    written = service.write(town.connection, town.app_id, changes)
    lines = [(7, PersonChange("lovelace", {"b": 1})), (8, PersonChange("ada", {"b": None, "c": 3}))]
    merged = importing.merge_lines(town.connection, town.app_id, lines)

    assert {name: str(fate) for name, fate in written.items()} == {
        "lovelace": "updated", "ada": "updated", "new": "created",
    }  # fmt: skip
    assert (merged.created, merged.updated) == (0, 2)
    person = repository.find(town.connection, town.app_id, "ada")
    assert person is not None
    assert person.attributes == {"plan": "pro", "a": 2, "c": 3}


def test_the_name_of_somebody_else_is_taken(town: Town) -> None:
    town.put("bob")
    naming.alias(town.connection, town.app_id, "bob", "bobby")
    for name in ("bob", "bobby"):
        with pytest.raises(AliasTakenError):
            naming.alias(town.connection, town.app_id, "ada", name)
    with pytest.raises(InvalidPayloadError):
        naming.alias(town.connection, town.app_id, "nobody", "new")


def test_apps_have_their_own_names(town: Town) -> None:
    other = found(town.connection)
    other.put("lovelace")
    naming.alias(town.connection, town.app_id, "ada", "lovelace")

    assert _own(town, "lovelace") == "ada"
    assert _own(other, "lovelace") == "lovelace"


def test_the_first_to_sign_in_stays_the_same_person(town: Town) -> None:
    town.put("anonymous:x", cart=2)
    town.event("anonymous:x", "looked")
    before = town.inner_id("anonymous:x")
    made = naming.identify(town.connection, town.app_id, "anonymous:x", "eve")

    assert (made.external_id, made.outcome, made.merge) == ("eve", Outcome.NAMED, None)
    assert town.inner_id("eve") == before
    assert _own(town, "anonymous:x") == "eve"


def test_who_signs_in_elsewhere_is_merged(town: Town) -> None:
    town.put("anonymous:x", cart=2)
    town.event("anonymous:x", "looked")
    made = naming.identify(town.connection, town.app_id, "anonymous:x", "ada")
    again = naming.identify(town.connection, town.app_id, "anonymous:x", "ada")

    assert (made.external_id, made.outcome) == ("ada", Outcome.MERGED)
    assert made.merge is not None
    assert made.merge.counts["events"] == 1
    assert again.outcome is Outcome.UNCHANGED
    person = repository.find(town.connection, town.app_id, "ada")
    assert person is not None
    assert person.attributes == {"plan": "free", "cart": 2}


def test_new_names_come_into_being_with_the_first_sign_in(town: Town) -> None:
    both = naming.identify(town.connection, town.app_id, "anonymous:y", "eve")
    one = naming.identify(town.connection, town.app_id, "anonymous:z", "ada")

    assert (both.outcome, one.outcome) == (Outcome.CREATED, Outcome.ALIASED)
    assert _own(town, "anonymous:y") == "eve"
    assert _own(town, "anonymous:z") == "ada"


def test_somebody_known_does_not_become_somebody_else(town: Town) -> None:
    town.put("bob")
    naming.identify(town.connection, town.app_id, "anonymous:x", "ada")
    for person in ("bob", "new"):
        with pytest.raises(AlreadyIdentifiedError):
            naming.identify(town.connection, town.app_id, "anonymous:x", person)


@pytest.mark.parametrize("known", [False, True])
def test_nobody_is_identified_by_the_anonymous_name_itself(town: Town, *, known: bool) -> None:
    if known:
        town.put("anonymous:7")
    with pytest.raises(SamePersonError, match="the same"):
        naming.identify(town.connection, town.app_id, "anonymous:7", "anonymous:7")


@pytest.mark.parametrize("person", ["eve", "Zoe"])
def test_two_new_names_are_one_person_in_whichever_order_they_are_made(
    town: Town, person: str
) -> None:
    made = naming.identify(town.connection, town.app_id, "anonymous:y", person)

    assert (made.external_id, made.outcome) == (person, Outcome.CREATED)
    assert _own(town, "anonymous:y") == _own(town, person) == person
    assert town.inner_id("anonymous:y") == town.inner_id(person)
    assert town.run("SELECT count(*) FROM person WHERE app_id = :app_id")[0].count == 2


def test_an_alias_can_be_removed_that_joined_nothing(town: Town) -> None:
    naming.alias(town.connection, town.app_id, "ada", "lovelace")

    assert naming.remove_alias(town.connection, town.app_id, "lovelace") == "ada"
    assert _own(town, "lovelace") is None
    with pytest.raises(AliasNotFoundError):
        naming.remove_alias(town.connection, town.app_id, "lovelace")


def test_a_person_is_not_split(town: Town) -> None:
    town.put("bob")
    merging.merge(town.connection, town.app_id, "ada", "bob")
    naming.identify(town.connection, town.app_id, "anonymous:x", "ada")
    for name in ("ada", "bob", "anonymous:x"):
        with pytest.raises(SplitRefusedError):
            naming.remove_alias(town.connection, town.app_id, name)


def test_an_alias_of_somebody_anonymous_names_the_person(town: Town) -> None:
    town.put("anonymous:x")
    naming.alias(town.connection, town.app_id, "anonymous:x", "anonymous:y")
    naming.alias(town.connection, town.app_id, "anonymous:y", "eve")

    assert {_own(town, name) for name in ("anonymous:x", "anonymous:y", "eve")} == {"eve"}


def test_aliases_leave_with_the_person(town: Town) -> None:
    naming.alias(town.connection, town.app_id, "ada", "lovelace")
    town.run("DELETE FROM person WHERE app_id = :app_id RETURNING id")

    assert town.run("SELECT 1 FROM person_name WHERE app_id = :app_id") == []
    town.put("lovelace")
    assert _own(town, "lovelace") == "lovelace"


def test_one_anonymous_name_for_another_leaves_the_person_called_as_before(town: Town) -> None:
    made = naming.identify(town.connection, town.app_id, "anonymous:b", "anonymous:a")
    more = naming.identify(town.connection, town.app_id, "anonymous:b", "anonymous:c")

    assert (made.external_id, made.outcome) == ("anonymous:a", Outcome.CREATED)
    assert (more.external_id, more.outcome) == ("anonymous:a", Outcome.ALIASED)
    for one in (made, more):
        assert _own(town, "anonymous:c") == one.external_id
