"""Random rules, as documents: every node with every operator."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from segments.rules import building, operators
from segments.rules.building import MILESTONES
from segments.rules.operators import Group
from tests.segments.rules.worlds import (
    DATES,
    EVENTS,
    LISTS,
    MESSAGES,
    NAMES,
    NUMBERS,
    TEXTS,
    VERSIONS,
)

Documents = st.SearchStrategy[Any]


def _is_double(number: Decimal) -> bool:
    return abs(number) < Decimal("1e300") and number == Decimal(repr(float(number)))


def _plain(number: Decimal) -> float:
    return int(number) if number == int(number) else float(number)


_NUMBERS = NUMBERS.filter(_is_double).map(_plain)
_RULE_TEXTS = st.one_of(TEXTS, DATES).filter(lambda text: 0 < len(text) <= 1_000)
_SCALARS = st.one_of(_RULE_TEXTS, st.just(""), _NUMBERS, st.booleans())
_UNITS = st.sampled_from(["minutes", "hours", "days", "weeks", "months", "years"])
_COUNTS = st.sampled_from([1, 2, 7, 24, 30])
_LENGTHS = st.builds("{} {}".format, _COUNTS, _UNITS)
_SHORT = st.builds("{} {}".format, _COUNTS, st.sampled_from(["minutes", "hours", "days", "weeks"]))
_MOMENTS = st.one_of(
    st.sampled_from(["now", "2026-03-29", "2026-03-28", "2025-01-01", "1960-02-29", "2027-01-01"]),
    st.sampled_from(["2026-03-29T12:00:00Z", "2026-03-29T14:00:00.000001+02:00"]),
    _LENGTHS.map("{} ago".format),
    _LENGTHS.map("in {}".format),
)
_PATTERNS = st.one_of(
    st.sampled_from(
        [
            "^a",
            "c$",
            "^$",
            "(a+)+$",
            "[^b]",
            r"\d",
            r"^\W",
            ".",
            "a.b",
            "^(?:ab)*$",
            "b{2}|é",
            "[à-ÿ]",
            r"^\d{4}-\d\d",
            "(a|b)*a(a|b){5}",
            r"[\u0300\]\-]",
            r"\\",
            "'",
            "%",
            "^.{1,3}$",
            r"[\s\S]",
        ]
    ).filter(lambda text: r"\u" not in text),
    st.lists(
        st.sampled_from(["a", "b", "c", ".", "[ab]", "(?:ab|c)", "é", r"\d"]),
        min_size=1,
        max_size=4,
    ).flatmap(
        lambda parts: st.builds(
            lambda ends: "".join(map("".join, zip(parts, ends, strict=True))),
            st.lists(
                st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}"]),
                min_size=len(parts),
                max_size=len(parts),
            ),
        )
    ),
)
_COUNT = st.integers(0, 4)


def _pairs(values: Documents) -> Documents:
    return st.tuples(values, values).map(list)


# By the kind of value an operator takes, by its group in `operators`.
_VALUES: Mapping[str, Documents] = {
    "contains": _RULE_TEXTS,
    "starts_with": _RULE_TEXTS,
    "matches": _PATTERNS,
    "before": _MOMENTS,
    "after": _MOMENTS,
    "array_contains": _SCALARS,
    "is_anniversary": st.sampled_from([0, 0, 1, -1, 365]),
}


def _test(groups: Any, scalars: Documents, between: Documents) -> Documents:
    """Draw one operator of some groups, with a value of its kind."""

    def of(operator: str) -> Documents:
        if operator in {"exists", "missing"}:
            return st.just({"operator": operator})
        if operator in {"<", "<=", ">", ">="} and scalars is _SCALARS:
            value: Documents = _NUMBERS
        elif operator == "in":
            value = st.lists(scalars, min_size=1, max_size=3)
        elif operator == "between":
            value = between
        else:
            value = _VALUES.get(operator, scalars)
        return st.builds(lambda value: {"operator": operator, "value": value}, value)

    names = [operator for group in groups for operator in _operators(group)]
    return st.sampled_from(names).flatmap(of)


def _operators(group: Group) -> tuple[str, ...]:
    return group[0]


_RANGES = st.one_of(_pairs(_NUMBERS), _pairs(_MOMENTS))
_RULE_VERSIONS = VERSIONS.filter(
    lambda text: text not in {"", "4.x", "4.2.0-é", "9" * 19, "4.2.0.0.1"}
)
# Where a value of the kind that an operator compares is likely to stand.
NATURAL: Mapping[str, str] = {
    **dict.fromkeys(("<", "<=", ">", ">=", "between", "equals", "not_equals"), "a"),
    **dict.fromkeys(("contains", "starts_with", "matches", "in"), "b"),
    **dict.fromkeys(("before", "after", "is_anniversary"), "when"),
    "array_contains": "é",
}


def _named(test: Documents) -> Documents:
    """Draw a name for a comparison: mostly where such a value is, else anywhere."""
    return st.builds(
        lambda one, name, anywhere: {
            "name": name if anywhere else NATURAL.get(one["operator"], name),
            **one,
        },
        test,
        st.sampled_from(NAMES),
        st.booleans(),
    )


_PROPERTY = _named(_test(operators.VALUE, _SCALARS, _RANGES))
_WHERE = st.lists(_PROPERTY, max_size=2)
_WINDOW = st.one_of(
    st.just({}),
    st.just({}),
    st.builds(lambda last: {"window": {"last": last}}, _LENGTHS),
    st.builds(lambda since: {"window": {"from": since}}, _MOMENTS),
    st.builds(lambda until: {"window": {"to": until}}, _MOMENTS),
    st.builds(lambda since, until: {"window": {"from": since, "to": until}}, _MOMENTS, _MOMENTS),
)
_EVENT_NAME = st.sampled_from(EVENTS)


def _node(kind: str, **parts: Documents) -> Documents:
    """Draw a node; parts that begin with an underscore are poured into it."""

    def build(**values: Any) -> dict[str, Any]:
        node: dict[str, Any] = {"type": kind}
        for name, value in values.items():
            node |= value if name.startswith("_") else {name: value}
        return node

    return st.builds(build, **parts)


_COUNT_TEST = st.one_of(
    st.just({}),
    st.builds(
        lambda operator, value: {"operator": operator, "value": value},
        st.sampled_from(["at_least", "at_most", "exactly"]),
        _COUNT,
    ),
    st.builds(lambda value: {"operator": "between", "value": value}, _pairs(_COUNT)),
)
_AMOUNT_TEST = _test(operators.AMOUNT, _NUMBERS, _pairs(_NUMBERS))
_TIME_TEST = _test(operators.TIME, _MOMENTS, _pairs(_MOMENTS))
_EVENT = _node("event", name=_EVENT_NAME, where=_WHERE, _window=_WINDOW, _test=_COUNT_TEST)
_SUM = _node(
    "event",
    name=_EVENT_NAME,
    where=_WHERE,
    measure=st.sampled_from(["sum", "min", "max", "avg"]),
    property=st.sampled_from(["a", "a", *NAMES]),
    _window=_WINDOW,
    _test=_AMOUNT_TEST,
)
_FIRST = _node(
    "event",
    name=_EVENT_NAME,
    measure=st.sampled_from(["first", "last"]),
    _window=_WINDOW,
    _test=_TIME_TEST,
)
_STEP = st.fixed_dictionaries({"event": _EVENT_NAME, "where": _WHERE})
_SEQUENCE = st.one_of(
    _node("sequence", first=_STEP, then=_STEP, within=_SHORT, _window=_WINDOW),
    _node("sequence", first=_STEP, then_not=_STEP, within=_SHORT, _window=_WINDOW),
)
_RANKING_WINDOW = st.one_of(_WINDOW)
_SCORES = st.lists(st.integers(1, 3), min_size=1, max_size=2)
_RFM = st.one_of(
    _node(
        "rfm",
        event=_EVENT_NAME,
        measure=st.sampled_from(["recency", "frequency"]),
        quantiles=st.integers(3, 6),
        scores=_SCORES,
        _window=_RANKING_WINDOW,
    ),
    _node(
        "rfm",
        event=_EVENT_NAME,
        measure=st.just("monetary"),
        property=st.sampled_from(["a", "a", *NAMES]),
        quantiles=st.integers(3, 6),
        scores=_SCORES,
        _window=_RANKING_WINDOW,
    ),
)
_FIELD_VALUES: Mapping[tuple[str, ...], Documents] = {
    ("platform", "model", "locale", "permission"): st.one_of(
        _RULE_TEXTS, st.sampled_from(["ios", "granted", "en"])
    ),
    ("provider",): st.sampled_from(["fcm", "apns"]),
    ("app_version", "os_version"): _RULE_VERSIONS,
    ("last_seen",): _MOMENTS,
    ("registered",): _MOMENTS,
    ("created",): _MOMENTS,
    ("external_id", "locale", "time_zone", "country"): st.one_of(
        _RULE_TEXTS, st.sampled_from(["DE", "en", "person-1"])
    ),
    ("push_consent", "analytics_consent", "has_device"): st.booleans(),
}


def _fields(groups: Mapping[tuple[str, ...], Any]) -> Documents:
    return st.one_of(
        *(
            st.builds(
                lambda field, test: {"field": field, **test},
                st.sampled_from(names),
                _test(of, _FIELD_VALUES[names], _pairs(_FIELD_VALUES[names])),
            )
            for names, of in groups.items()
        )
    )


LEAVES: Mapping[str, Documents] = {
    "attribute": _node("attribute", _test=_named(_test(operators.ATTRIBUTE, _SCALARS, _RANGES))),
    "event": st.one_of(_EVENT, _SUM, _FIRST),
    "sequence": _SEQUENCE,
    "device": _node(
        "device",
        match=st.sampled_from(["any", "every"]),
        where=st.lists(_fields(building.DEVICE_FIELDS), max_size=2),
    ),
    "message": _node(
        "message",
        milestone=st.sampled_from(MILESTONES),
        _message=st.one_of(
            st.just({}), st.sampled_from([*MESSAGES]).map(lambda one: {"message": one})
        ),
        _campaign=st.sampled_from([{}, {}, {}, {"campaign": "cmp_one"}]),
        _window=_WINDOW,
    ),
    "person": _node("person", _test=_fields(building.PERSON_FIELDS)),
    "geo": st.one_of(
        _node(
            "geo",
            near=st.fixed_dictionaries(
                {
                    "lat": st.sampled_from([52.5, 0, 90, -89, 89.9]),
                    "lon": st.sampled_from([13.4, 179.5, -180, 0]),
                }
            ),
            within_km=st.sampled_from([0, 1, 50, 500, 5_000, 20_000]),
        ),
        _node("geo", countries=st.sampled_from([["DE"], ["AT", "DE"], ["FR"]])),
    ),
    "rfm": _RFM,
    "list": _node("list", list=st.sampled_from([*LISTS, "lst_none"])),
    "segment": _node("segment", segment=st.sampled_from(["seg_one", "seg_two"])),
    "bucket": st.builds(
        lambda salt, first, size: {
            "type": "bucket",
            "salt": salt,
            "from": first,
            "to": min(9_999, first + size),
        },
        st.sampled_from(["a", "b"]),
        st.integers(0, 9_999),
        st.sampled_from([0, 5_000]),
    ),
}


def _group(nodes: Documents) -> Documents:
    return st.one_of(
        _node("all", of=st.lists(nodes, max_size=3)),
        _node("any", of=st.lists(nodes, max_size=3)),
        _node("not", of=nodes),
    )


RULES: Documents = st.recursive(st.one_of(*LEAVES.values()), _group, max_leaves=6)
# Of segments, so without segments inside.
INNER: Documents = st.recursive(
    st.one_of(*(one for name, one in LEAVES.items() if name != "segment")), _group, max_leaves=3
)
