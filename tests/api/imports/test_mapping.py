"""Mappings: what callers may write, and what is said about what they may not."""

from typing import Any

import pytest

from api.imports.errors import InvalidMappingError
from api.imports.mapping import map_columns, split_map
from api.imports.opening import check_delimiter
from api.imports.record import ImportOptions


def options(kind: Any = "people", **values: Any) -> ImportOptions:
    return ImportOptions(kind, **values)


def pointers(columns: list[str], given: ImportOptions) -> list[str | None]:
    targets = map_columns(given).targets(columns)
    return [target.pointer if target else None for target in targets]


def test_columns_go_where_they_are_mapped_by_their_name_or_to_attributes() -> None:
    given = options(maps=(("Customer ID", "external_id"), ("note", "ignore")))
    columns = ["Customer ID", "locale", "attributes.points:int", "a/b", "note"]

    assert pointers(columns, given) == [
        "/external_id",
        "/locale",
        "/attributes/points",
        "/attributes/a~1b",
        None,
    ]


def test_what_is_not_mapped_can_be_ignored_or_refused() -> None:
    assert pointers(["external_id", "x"], options(unmapped="ignore")) == ["/external_id", None]
    with pytest.raises(InvalidMappingError, match="'x' fits no field"):
        pointers(["external_id", "x"], options(unmapped="refuse"))


def test_a_target_that_looks_like_a_type_is_only_a_name() -> None:
    assert pointers(["external_id", "attributes.a:b"], options()) == [
        "/external_id",
        "/attributes/attributes.a:b",
    ]


@pytest.mark.parametrize(
    ("columns", "given", "words"),
    [
        (["name"], options(), "No column gives external_id"),
        (["installation_id"], options("devices"), "No column gives platform, provider"),
        (["external_id"], options(maps=(("nick", "attributes.nick"),)), "has no column nick"),
        (["external_id", "id"], options(maps=(("id", "external_id"),)), "go to /external_id"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    columns: list[str], given: ImportOptions, words: str
) -> None:
    with pytest.raises(InvalidMappingError, match=words):
        pointers(columns, given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (options(maps=(("a", "externalid"),)), "no target 'externalid'.*external_id"),
        (options(maps=(("a", "attributes.b:number"),)), "types are text, int"),
        (options(maps=(("a", "attributes."),)), "no target"),
        (options("devices", maps=(("a", "attributes.b"),)), "no target"),
        (options(maps=(("a", "locale"), ("a", "country"))), "mapped twice"),
        (options("devices", unmapped="attributes"), "Devices have no attributes"),
        (options("events", empty="clear"), "can clear nothing of events"),
    ],
)
def test_a_mapping_that_can_not_be_is_refused_before_any_file(
    given: ImportOptions, words: str
) -> None:
    with pytest.raises(InvalidMappingError, match=words):
        map_columns(given)


@pytest.mark.parametrize("text", ["points=attributes.a\0", "a\0=locale", "a=attributes.\udcfc"])
def test_a_mapping_that_can_not_be_stored_is_refused(text: str) -> None:
    with pytest.raises(InvalidMappingError, match="without U"):
        split_map(text)


def test_a_mapping_is_split_at_its_last_sign() -> None:
    assert split_map("a=b=locale") == ("a=b", "locale")
    for text in ("locale", "=locale", "a="):
        with pytest.raises(InvalidMappingError, match="COLUMN=TARGET"):
            split_map(text)


def test_a_delimiter_is_one_character_or_the_word_tab() -> None:
    assert [check_delimiter(text) for text in (None, ";", "tab", "\\t")] == [None, ";", "\t", "\t"]
    for text in ("", ";;", '"', "\n", "é"):
        with pytest.raises(InvalidMappingError):
            check_delimiter(text)
