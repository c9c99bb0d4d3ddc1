"""The operators of rules: which there are, and what each compares with. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from segments.rules.kinds import (
    BOOLEAN,
    MOMENT,
    NUMBER,
    PATTERN,
    RANGE,
    SCALAR,
    TEXT,
    VERSION_TEXT,
    listed,
    pair,
    whole,
)
from segments.rules.reading import Choice, Field, Form, Kind

_COMPARES = "How the value is compared."
_WITH = "What it is compared with."
_SHIFT = "The day that is asked about, in days from today: 7 is in a week."
_COUNT_LIMIT = 1_000_000_000
_ANNIVERSARY_DAYS = 366

Group = tuple[tuple[str, ...], Field | None]


def _compares(kind: Kind) -> Field:
    return Field(kind, _WITH)


_PRESENCE: Group = (("exists", "missing"), None)
_DATES: Sequence[Group] = (
    (("before", "after"), _compares(MOMENT)),
    (("between",), _compares(pair(MOMENT))),
)
# Of a value in JSON.
VALUE: Final[Sequence[Group]] = (
    (("equals", "not_equals"), _compares(SCALAR)),
    (("in",), _compares(listed(SCALAR))),
    (("contains", "starts_with"), _compares(TEXT)),
    (("matches",), _compares(PATTERN)),
    _PRESENCE,
    (("<", "<=", ">", ">="), _compares(NUMBER)),
    (("between",), _compares(RANGE)),
    (("before", "after"), _compares(MOMENT)),
    (("array_contains",), _compares(SCALAR)),
)
# Days that come again are those of the person's own calendar, so only people have them.
ATTRIBUTE: Final[Sequence[Group]] = (
    *VALUE,
    (
        ("is_anniversary",),
        Field(whole(-_ANNIVERSARY_DAYS, _ANNIVERSARY_DAYS), _SHIFT, default=0),
    ),
)
TEXTS: Final[Sequence[Group]] = (
    (("equals", "not_equals", "contains", "starts_with"), _compares(TEXT)),
    (("in",), _compares(listed(TEXT))),
    (("matches",), _compares(PATTERN)),
    _PRESENCE,
)
# A device can have several.
PROVIDER: Final[Sequence[Group]] = (
    (("equals",), _compares(TEXT)),
    (("in",), _compares(listed(TEXT))),
)
DATES: Final[Sequence[Group]] = (*_DATES, _PRESENCE)
VERSIONS: Final[Sequence[Group]] = (
    (("equals", "not_equals", "<", "<=", ">", ">="), _compares(VERSION_TEXT)),
    (("in",), _compares(listed(VERSION_TEXT))),
    (("between",), _compares(pair(VERSION_TEXT))),
    _PRESENCE,
)
TRUTH: Final[Sequence[Group]] = ((("equals",), _compares(BOOLEAN)),)
AMOUNT: Final[Sequence[Group]] = (
    (("equals", "<", "<=", ">", ">="), _compares(NUMBER)),
    (("between",), _compares(pair(NUMBER))),
)
TIME: Final[Sequence[Group]] = _DATES
_A_COUNT = whole(0, _COUNT_LIMIT)


def forms(
    groups: Sequence[Group],
    fields: Mapping[str, Field],
    choices: Mapping[str, Choice] | None = None,
) -> list[Form]:
    """Return the forms of an object that compares: one for each group of operators."""
    return [
        Form(
            {**(choices or {}), "operator": Choice(operators, _COMPARES)},
            {**fields, **({} if value is None else {"value": value})},
        )
        for operators, value in groups
    ]


def count_forms(fields: Mapping[str, Field], choices: Mapping[str, Choice]) -> list[Form]:
    """Return the forms of an object that counts; without an operator it is at least one."""
    names = ("at_least", "at_most", "exactly")
    value = Field(_A_COUNT, "How many.", default=1)
    operator = Choice(names, "How the count is compared.", default="at_least")
    between = Field(pair(_A_COUNT), "The least and the most.")
    return [
        Form({**choices, "operator": operator}, {**fields, "value": value}),
        Form(
            {**choices, "operator": Choice(("between",), _COMPARES)}, {**fields, "value": between}
        ),
    ]
