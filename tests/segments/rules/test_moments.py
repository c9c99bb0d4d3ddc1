"""Moments, lengths and windows, across changes of clocks and calendars."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.rules.datetexts import is_date_text, text_ticks, ticks
from segments.rules.moments import Clock, Span, Window, parse_length, parse_moment
from segments.rules.zones import (
    days_elsewhere,
    find_zone,
    first_day_from,
    start_of_day,
    zone_names,
)

BERLIN = find_zone("Europe/Berlin") or UTC
SPRING = Clock(datetime(2026, 3, 29, 12, tzinfo=UTC), BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("now", "2026-03-29T12:00:00Z", 0),
        ("30 days ago", "2026-02-27T12:00:00Z", 0),
        ("in 90 minutes", "2026-03-29T13:30:00Z", 0),
        ("1 month ago", "2026-02-28T13:00:00Z", 0),
        ("in 11 months", "2027-02-28T13:00:00Z", 0),
        ("in 1 year", "2027-03-29T12:00:00Z", 0),
        ("2026-03-29", "2026-03-28T23:00:00Z", 23 * 3_600),
        ("2026-10-25", "2026-10-24T22:00:00Z", 25 * 3_600),
        ("2026-03-01T12:00:00.1234567+02:00", "2026-03-01T10:00:00.123456Z", 0),
    ],
)
def test_moments_start_and_end(text: str, start: str, length: int) -> None:
    moment = parse_moment(text)

    assert moment.start(SPRING) == at(start)
    ends = timedelta(seconds=length) if length else timedelta(microseconds=1)
    assert moment.end(SPRING) == at(start) + ends
    assert parse_moment(moment.text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "30 day",
        "1 fortnight ago",
        "-1 days ago",
        "1.5 days ago",
        "in 3",
        "now ago",
        "2026-13-01",
        "2026-03-01T12:00",
        "2026-03-01 12:00:00",
        "2026-3-1",
        "0 days ago",
        "٣ days ago",
        "2026-03-01T24:00:00Z",
        "2201-01-01",
        "1799-12-31",
        "101 years ago",
        "999999 weeks ago",
    ],
)
def test_what_is_no_moment_is_refused_in_words(text: str) -> None:
    if text == "30 day":
        assert parse_length(text).text == "30 days"
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text)


def test_windows_never_reach_into_the_future() -> None:
    tick = timedelta(microseconds=1)
    now = SPRING.now

    assert Window().span(SPRING) == Span(None, now + tick)
    assert Window(last=parse_length("2 hours")).span(SPRING) == Span(
        now - timedelta(hours=2), now + tick
    )
    ends = Window(since=parse_moment("2026-03-28"), until=parse_moment("2026-03-28")).span(SPRING)
    assert ends == Span(at("2026-03-27T23:00:00Z"), at("2026-03-28T23:00:00Z"))
    assert Window(until=parse_moment("in 2 days")).span(SPRING).end == now + tick


def test_a_day_that_a_zone_skipped_begins_where_the_next_does() -> None:
    apia = find_zone("Pacific/Apia") or UTC

    assert start_of_day(date(2011, 12, 30), apia) == start_of_day(date(2011, 12, 31), apia)


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001
    st.sampled_from(sorted(zone_names())),
)
def test_the_first_day_from_a_moment_is_the_first(naive: datetime, name: str) -> None:
    moment, zone = naive.replace(tzinfo=UTC), find_zone(name)
    assert zone is not None

    day = first_day_from(moment, zone)

    assert start_of_day(day, zone) >= moment > start_of_day(day - timedelta(days=1), zone)


def test_zones_with_another_day_are_all_found() -> None:
    now = datetime(2026, 3, 29, 10, 30, tzinfo=UTC)

    found = days_elsewhere(now, UTC)

    assert found.keys() == {date(2026, 3, 28), date(2026, 3, 30)}
    assert "Pacific/Kiritimati" in found[date(2026, 3, 30)]
    assert "Pacific/Pago_Pago" in found[date(2026, 3, 28)]
    assert "Europe/Berlin" not in {name for names in found.values() for name in names}


def test_an_unknown_zone_is_none() -> None:
    assert find_zone("Mars/Base") is None
    assert find_zone("../../etc/passwd") is None
    assert find_zone(None) is None


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_a_date(day: date) -> None:
    assert is_date_text(day.isoformat())


@given(st.integers(1000, 9999), st.integers(0, 99), st.integers(0, 99))
def test_no_other_day_is_a_date(year: int, month: int, day: int) -> None:
    try:
        date(year, month, day)
    except ValueError:
        assert not is_date_text(f"{year}-{month:02}-{day:02}")
    else:
        assert is_date_text(f"{year}-{month:02}-{day:02}")


@given(st.datetimes(min_value=datetime(1001, 1, 1)))  # noqa: DTZ001
def test_times_are_counted_as_python_does(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    text = moment.isoformat()

    assert is_date_text(text)
    assert text_ticks(text) == ticks(moment)
    assert text_ticks(text.replace("+00:00", "-05:30")) - ticks(moment) == 19_800_000_000
