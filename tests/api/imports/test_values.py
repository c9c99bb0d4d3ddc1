"""Cells by type."""

from typing import Any

import pytest

from api.imports.values import CONVERTERS, UnfitError


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("text", " as it is ", " as it is "),
        ("int", "42", 42),
        ("int", " -9223372036854775808 ", -(2**63)),
        ("int", 7, 7),
        ("float", "11.77", 11.77),
        ("float", "-1e3", -1000.0),
        ("float", ".5", 0.5),
        ("float", 3, 3.0),
        ("bool", "Yes", True),
        ("bool", "0", False),
        ("bool", True, True),
        ("time", "2026-03-01T13:30:00+01:30", "2026-03-01T12:00:00Z"),
        ("time", "2026-03-01", "2026-03-01T00:00:00Z"),
        ("time", "20260301", "2026-03-01T00:00:00Z"),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("json", [1], [1]),
    ],
)
def test_a_cell_becomes_its_value(kind: str, cell: Any, value: Any) -> None:
    found = CONVERTERS[kind](cell)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("text", 1),
        ("int", "4.0"),
        ("int", "1_000"),
        ("int", "٤"),
        ("int", "9223372036854775808"),
        ("int", True),
        ("int", 2**63),
        ("float", "nan"),
        ("float", "inf"),
        ("float", "1e999"),
        ("float", "1,5"),
        ("float", True),
        ("bool", "maybe"),
        ("bool", 1),
        ("time", "01.03.2026"),
        ("time", "2026-02-30"),
        ("time", "2126-01-01"),
        ("time", 20260301),
        ("json", "{"),
        ("json", '"\\u0000"'),
        ("json", "1e999"),
    ],
)
def test_a_cell_that_does_not_fit_is_said_to_in_words(kind: str, cell: Any) -> None:
    with pytest.raises(UnfitError) as caught:
        CONVERTERS[kind](cell)

    assert str(caught.value)
