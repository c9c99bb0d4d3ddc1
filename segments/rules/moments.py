"""Moments and spans of time as rules name them: fixed, whole days, or relative to now. Pure.

A relative moment stays relative until a clock is given. Everything is counted in microseconds,
which is what PostgreSQL keeps, so that every span can be half-open.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property

from segments.rules.zones import first_day_from, start_of_day

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LENGTH = re.compile(r"(\d{1,6}) (minute|hour|day|week|month|year)s?", re.ASCII)
_YEARS = range(1800, 2201)
_MOST_YEARS = 100
_MINUTES = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080}
_MONTHS = {"month": 1, "year": 12}
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment a rule is answered for, and the zone in which its days begin."""

    now: datetime
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Length:
    """A length of time: minutes that always last the same, or months of the calendar."""

    minutes: int = 0
    months: int = 0

    @property
    def text(self) -> str:
        """The one text of this length: `90 days`, `1 hour`."""
        if self.months:
            return _counted(self.months, (("year", 12), ("month", 1)))
        return _counted(self.minutes, (("day", 1_440), ("hour", 60), ("minute", 1)))

    @property
    def span(self) -> timedelta:
        """How long it is; only for lengths without months."""
        return timedelta(minutes=self.minutes)


def _counted(amount: int, units: tuple[tuple[str, int], ...]) -> str:
    unit, size = next((unit, size) for unit, size in units if amount % size == 0)
    count = amount // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@dataclass(frozen=True)
class Moment:
    """A moment as a rule names it: exactly one of a fixed time, a day, or a length from now."""

    at: datetime | None = None
    day: date | None = None
    back: Length | None = None
    ahead: Length | None = None

    @cached_property
    def text(self) -> str:
        """The one text of this moment."""
        if self.at is not None:
            return self.at.isoformat().replace("+00:00", "Z")
        if self.day is not None:
            return self.day.isoformat()
        if self.back is not None:
            return f"{self.back.text} ago"
        return f"in {self.ahead.text}" if self.ahead is not None else "now"

    def start(self, clock: Clock) -> datetime:
        """Return the moment; of a day its first."""
        if self.at is not None:
            return self.at
        if self.day is not None:
            return start_of_day(self.day, clock.zone)
        if self.back is not None:
            return _shifted(clock, self.back, -1)
        return _shifted(clock, self.ahead, 1) if self.ahead is not None else clock.now

    def end(self, clock: Clock) -> datetime:
        """Return the first moment behind it; of a day the start of the next."""
        if self.day is not None:
            return start_of_day(self.day + timedelta(days=1), clock.zone)
        return self.start(clock) + _TICK


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of time; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether a moment is in the span."""
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def until_now(self, clock: Clock) -> "Span":
        """Return the part of the span that is not in the future."""
        end = clock.now + _TICK
        return Span(self.start, end if self.end is None else min(self.end, end))

    def days(self, zone: tzinfo) -> tuple[date | None, date | None]:
        """Return the half-open span of the days that begin in this one."""
        bounds = (self.start, self.end)
        first, last = (None if at is None else first_day_from(at, zone) for at in bounds)
        return first, last


@dataclass(frozen=True, slots=True)
class Window:
    """When something happened: in the last …, or between moments of which each may be open."""

    last: Length | None = None
    since: Moment | None = None
    until: Moment | None = None

    def span(self, clock: Clock) -> Span:
        """Return the span of time, which never reaches into the future."""
        if self.last is not None:
            return Span(_shifted(clock, self.last, -1)).until_now(clock)
        start = None if self.since is None else self.since.start(clock)
        end = None if self.until is None else self.until.end(clock)
        return Span(start, end).until_now(clock)


def parse_length(text: str) -> Length:
    """Return a length such as `30 days`; raise `ValueError` in words."""
    found = _LENGTH.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError("must be a length such as 30 days, 12 hours or 3 months")
    count, unit = int(found[1]), found[2]
    length = (
        Length(months=count * _MONTHS[unit])
        if unit in _MONTHS
        else Length(minutes=count * _MINUTES[unit])
    )
    if length.months > 12 * _MOST_YEARS or length.minutes > 366 * 1_440 * _MOST_YEARS:
        raise ValueError(f"may be at most {_MOST_YEARS} years")
    return length


def parse_moment(text: str) -> Moment:
    """Return a moment; raise `ValueError` in words."""
    if text == "now":
        return Moment()
    if text.endswith(" ago"):
        return Moment(back=parse_length(text.removesuffix(" ago")))
    if text.startswith("in "):
        return Moment(ahead=parse_length(text.removeprefix("in ")))
    if _DAY.fullmatch(text):
        return Moment(day=_in_range(date.fromisoformat(text)))
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(
            "must be a day (2026-03-01), a time (2026-03-01T12:00:00Z), `now`, "
            "or relative to now (30 days ago, in 2 weeks)"
        )
    day, time, fraction, offset = found.groups(default="")
    moment = datetime.fromisoformat(f"{day}T{time}{fraction[:7]}{offset.upper()}")
    _in_range(moment.date())
    return Moment(at=moment.astimezone(UTC))


def _in_range(day: date) -> date:
    if day.year not in _YEARS:
        raise ValueError(f"must be of the years {_YEARS[0]} to {_YEARS[-1]}")
    return day


def _shifted(clock: Clock, length: Length, sign: int) -> datetime:
    if not length.months:
        return clock.now + sign * length.span
    local = clock.now.astimezone(clock.zone)
    months = local.year * 12 + local.month - 1 + sign * length.months
    year, month = divmod(months, 12)
    # From the 31st, a month ago may be the 30th.
    day = min(local.day, _days_of(year, month + 1))
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def _days_of(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day
