"""Time zones from one database: the `tzdata` package, whatever the system has. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def find_zone(name: str | None) -> tzinfo | None:
    """Return a zone by its name; None when there is no such zone."""
    return _load(name) if name is not None and name in zone_names() else None


@cache
def _load(name: str) -> tzinfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day in a zone, in UTC."""
    # A midnight that a change of clocks skips falls on that change; of two, the first is meant.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def first_day_from(at: datetime, zone: tzinfo) -> date:
    """Return the first day that begins at this moment or later."""
    day = at.astimezone(zone).date() - timedelta(days=1)
    while start_of_day(day, zone) < at:
        day += timedelta(days=1)
    return day


def days_elsewhere(now: datetime, zone: tzinfo) -> Mapping[date, tuple[str, ...]]:
    """Return the zones where it is another day than in `zone`, by the day it is there."""
    here = now.astimezone(zone).date()
    found: dict[date, list[str]] = {}
    for name in sorted(zone_names()):
        there = find_zone(name)
        day = now.astimezone(there).date()
        if day != here:
            found.setdefault(day, []).append(name)
    return {day: tuple(names) for day, names in found.items()}
