"""JSON at the border: everything that could hurt later is refused here, with its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import MalformedJsonError
from api.json_body import NESTING_LIMIT, parse_json
from core.errors import InvalidPayloadError

_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def _faults(body: bytes) -> dict[str, str]:
    with pytest.raises(InvalidPayloadError) as caught:
        parse_json(body)
    return {fault.pointer: fault.code for fault in caught.value.fields}


@given(_PLAIN)
def test_json_that_can_be_stored_comes_through_unchanged(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"{'a': 1}", b'{"a": NaN}', b"Infinity", b"[1,]", b'"\x80"', b"\xff\xfe{}", b"nul"],
)
def test_what_is_not_json_in_utf8_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b'{"a": "\n"}', "Invalid control character at line 1"), (b'"', "starting at line 1")],
)
def test_what_is_not_json_is_told_with_its_place(body: bytes, words: str) -> None:
    with pytest.raises(MalformedJsonError, match=words):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (rb'{"a": {"b": ["x", "y\u0000"]}}', {"/a/b/1": "nul_character"}),
        (rb'{"a\u0000": 1}', {"": "nul_character"}),
        (rb'{"a": "\ud800"}', {"/a": "lone_surrogate"}),
        (rb'{"\udfff": 1}', {"": "lone_surrogate"}),
        (b'{"a": 1e999999}', {"/a": "number_out_of_range"}),
        (b'{"a": 9223372036854775808}', {"/a": "number_out_of_range"}),
        (b'{"a": -9223372036854775809}', {"/a": "number_out_of_range"}),
        (b'{"a/b~c": ' + b"9" * 5000 + b"}", {"/a~1b~0c": "number_out_of_range"}),
    ],
)
def test_what_can_not_be_stored_is_refused_with_its_place(
    body: bytes, faults: dict[str, str]
) -> None:
    assert _faults(body) == faults


def test_so_many_levels_are_allowed_and_no_more() -> None:
    deep = b"[" * NESTING_LIMIT + b"]" * NESTING_LIMIT

    assert parse_json(deep) is not None
    assert set(_faults(b"[" + deep + b"]").values()) == {"too_deep"}


def test_nesting_beyond_the_stack_is_refused_as_well() -> None:
    assert set(_faults(b"[" * 200_000 + b"]" * 200_000).values()) == {"too_deep"}


def test_a_body_full_of_faults_names_the_first_hundred() -> None:
    assert len(_faults(json.dumps(["\0"] * 500).encode())) == 100
