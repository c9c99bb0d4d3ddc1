"""Random people with dirty data, and random rules that have a chance to hold for some of them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from segments.rules.moments import Clock
from segments.rules.zones import find_zone

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Apia")
NAMES = ("a", "b", "c.d", "c", r"x\.y", "é", "when")
EVENTS = ("buy", "view", "öffnen")
LISTS = ("lst_one", "lst_two")
# With the day on which each was cut: it ends on it, or within two days after.
MESSAGES = {"msg_one": date(2026, 3, 28), "msg_two": date(2026, 2, 27)}
STATES = ("accepted", "gone", "rejected", "unknown", "expired", "suppressed")

NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "1.0",
        "1e0",
        "2",
        "3",
        "-1",
        "0.1",
        "0.10000000000000000001",
        "1.5",
        "100",
        "1e2",
        "9007199254740993",
        "9223372036854775807",
        "1e308",
        "-1e308",
        "1e400",
        "1e-400",
    ]
).map(Decimal)
TEXTS = st.sampled_from(
    [
        "",
        "1",
        "1.0",
        "abc",
        "ABC",
        "abcabc",
        "b",
        "NaN",
        "Infinity",
        "-inf",
        "null",
        "true",
        "a\nb",
        "é",
        "é",
        "İ",
        "ß",
        "ﬀ",
        "👩\u200d👩\u200d👧",
        "\u200b",
        "\U0010ffff",
        "\ufeffabc",
        "a%b_c",
        "\\",
        "'",
        "'; DROP TABLE person; --",
        ":a",
        "%(a)s",
        "$1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaa!",
        "ab" * 1100,
    ]
)
DATES = st.sampled_from(
    [
        "2026-03-29",
        "2026-03-28",
        "2026-03-30",
        "2025-03-29",
        "1960-02-29",
        "2024-02-29",
        "2026-02-28",
        "2026-02-29",
        "2026-13-01",
        "2026-3-1",
        "20260329",
        "29.03.2026",
        "9999-12-31",
        "0001-01-01",
        "2026-03-29T12:00:00Z",
        "2026-03-29T14:00:00+02:00",
        "2026-03-29t12:00:00.0000009z",
        "2026-03-29 12:00:00.000001Z",
        "2026-03-29T01:59:59+01:00",
        "2026-03-29T24:00:00Z",
        "2026-03-29T12:00:60Z",
        "2026-03-29T12:00:00",
        "2026-03-29T12:00Z",
        "9999-12-31T23:59:59-14:00",
        "1000-01-01T00:00:00+14:00",
        "2026-03-29T12:00:00+14:59",
        "2026-03-29T12:00:00+15:00",
        "2026-03-29T12:00:00Z\n",
        "2026-03-28T22:59:59.999999Z",
        "2026-03-28T23:00:00Z",
        "2026-10-25",
        "٢٠٢٦-٠٣-٢٩",
        "2026-03-29T12:00:00.1234567890Z",
        "2026-03-29T12:00:00.123456789Z",
    ]
)
SCALARS = st.one_of(
    NUMBERS, TEXTS, DATES, st.booleans(), st.text(max_size=4).filter(str.isprintable)
)
VALUES = st.one_of(
    SCALARS,
    st.none(),
    st.lists(st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=1)), max_size=3),
    st.dictionaries(st.sampled_from(["d", "0", "e"]), SCALARS, max_size=2),
)
OBJECTS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "x.y", "é", "when", "lat", "lon"]), VALUES, max_size=5
)
# What rules that fit the kind of value look at: see `random_rules.NATURAL`.
FITTING = st.fixed_dictionaries(
    {},
    optional={
        "a": NUMBERS,
        "b": TEXTS,
        "when": DATES,
        "é": st.lists(SCALARS, min_size=1, max_size=3),
    },
)
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "lat": st.one_of(
            st.integers(-91, 91).map(Decimal), st.sampled_from([Decimal("52.5"), "52"])
        ),
        "lon": st.one_of(
            st.integers(-181, 181).map(Decimal), st.sampled_from([Decimal("13.4"), None])
        ),
    },
)
_STEPS = st.sampled_from(
    [0, 1, 60, 3_600, 7_200, 86_399, 86_400, 86_401, 172_800, 2_592_000, 31_536_000]
)
MOMENTS = st.builds(
    lambda seconds, ticks, sign: NOW + sign * timedelta(seconds=seconds, microseconds=ticks),
    _STEPS,
    st.sampled_from([0, 0, 1]),
    st.sampled_from([-1, -1, -1, 1]),
)
VERSIONS = st.sampled_from(
    [
        "4.2.0",
        "4.2",
        "4.10.0",
        "v4.2.0",
        "4.2.0-beta.1",
        "4.2.0-beta.02",
        "4.2.0-beta.11",
        "4.2.0-rc",
        "4.2.0-1",
        "4.2.0+17",
        "4.2.0-a.b+c",
        "4",
        "4.2.0.0.1",
        "4.x",
        "",
        "9" * 18,
        "9" * 19,
        "4.2.0-é",
    ]
)
MAYBE_VERSION = st.one_of(st.none(), VERSIONS)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as it is stored for a test."""

    attributes: Any
    created_at: datetime
    name: str = ""
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    consents: Any = field(default_factory=dict)
    lists: Any = ()
    devices: Any = ()
    events: Any = ()
    messages: Any = ()
    receipts: Any = ()


DEVICES = st.fixed_dictionaries(
    {
        "platform": st.sampled_from(["ios", "android"]),
        "permission": st.sampled_from(["granted", "denied"]),
        "created_at": MOMENTS,
        "app_version": MAYBE_VERSION,
        "os_version": MAYBE_VERSION,
        "model": st.one_of(st.none(), TEXTS),
        "locale": st.sampled_from([None, "en", "en-GB", "de"]),
        "last_seen_at": st.one_of(st.none(), MOMENTS),
        "targets": st.lists(
            st.tuples(
                st.sampled_from(["fcm", "apns"]), st.sampled_from(["active", "suspect", "retired"])
            ),
            max_size=2,
            unique_by=lambda one: one[0],
        ),
    }
)
_ENDS = st.sampled_from([0, 43_200, 86_399, 129_600, 172_799]).map(
    lambda one: timedelta(seconds=one)
)


def _end(message: str, state: str, after: timedelta) -> tuple[str, str, datetime]:
    return message, state, datetime.combine(MESSAGES[message], time(tzinfo=UTC)) + after


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


_PROPERTIES = st.builds(_merged, OBJECTS, FITTING)
PEOPLE = st.lists(
    st.builds(
        Somebody,
        attributes=st.builds(_merged, OBJECTS, FITTING, PLACES),
        created_at=MOMENTS,
        name=st.sampled_from(["", "é", "👍", "a:b", "%"]),
        locale=st.sampled_from([None, "en", "en-GB", "de"]),
        time_zone=st.sampled_from([None, "Mars/Base", "Pacific/Kiritimati", "Pacific/Pago_Pago"]),
        country=st.sampled_from([None, "DE", "AT"]),
        consents=st.dictionaries(st.sampled_from(["push", "analytics"]), st.booleans()),
        lists=st.lists(st.sampled_from(LISTS), unique=True),
        devices=st.lists(DEVICES, max_size=3),
        events=st.lists(st.tuples(st.sampled_from(EVENTS), MOMENTS, _PROPERTIES), max_size=6),
        messages=st.lists(
            st.builds(_end, st.sampled_from([*MESSAGES]), st.sampled_from(STATES), _ENDS),
            max_size=2,
        ),
        receipts=st.lists(
            st.builds(
                _end,
                st.sampled_from([*MESSAGES]),
                st.sampled_from(["confirmed", "opened"]),
                _ENDS.flatmap(lambda one: st.sampled_from([one, one + timedelta(days=40)])),
            ),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=8,
)
CLOCKS = st.builds(
    lambda zone, hours: Clock(NOW + timedelta(hours=hours), find_zone(zone) or UTC),
    st.sampled_from(ZONES),
    st.sampled_from([0, 0, -11, 10, 13, -24, -8_760]),
)
