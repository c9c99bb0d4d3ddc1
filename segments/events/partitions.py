"""Where events of a month are kept: partitions ahead of time, and for the past on demand.

The last two calendar years have a partition for each month. What is older has one for each year,
so that somebody who brings events of fifty years does not make six hundred tables.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from segments.events.repository import Driver

_MONTHS_AHEAD = 2
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('event partitions', 0))"
_PRESENT = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'event'::regclass
"""
# Made by itself and attached when it is complete: that holds up neither readers nor writers of
# the other partitions, as `CREATE TABLE … PARTITION OF` would.
_MAKE = (
    "CREATE TABLE {name} (LIKE event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
)
_ATTACH = "ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"


def place_of(day: date, today: date) -> str:
    """Return a name for the span of time that a day falls in: `2026_11`, or `1997`."""
    return f"{day:%Y}" if day.year < today.year - 1 else f"{day:%Y_%m}"


def ensure_partitions(connection: Driver, days: Iterable[date], today: date) -> None:
    """Make the partitions for these days that are missing, in a transaction of its own.

    Several may do so at once. Raises psycopg's `LockNotAvailable` when the connection has a
    lock timeout and something holds the table for longer.
    """
    wanted = sorted(set(days))
    if not _missing(connection, wanted, today):
        return
    with connection.transaction():
        connection.execute(_LOCK)
        for span in _missing(connection, wanted, today):
            _make(connection, span)


def ahead(today: date) -> list[date]:
    """Return a day of each month that must have its place: the last one, this, and the next."""
    first = today.replace(day=1)
    days = [(first - timedelta(days=1)).replace(day=1), first]
    for _ in range(_MONTHS_AHEAD):
        days.append((days[-1] + timedelta(days=32)).replace(day=1))
    return days


def _missing(connection: Driver, days: Sequence[date], today: date) -> list[tuple[date, date]]:
    present = {row[0].removeprefix("event_") for row in connection.execute(_PRESENT)}
    spans = dict.fromkeys(
        _span(day, today, present) for day in days if not _is_covered(day, present)
    )
    return list(spans)


def _is_covered(day: date, present: set[str]) -> bool:
    return f"{day:%Y}" in present or f"{day:%Y_%m}" in present


def _span(day: date, today: date, present: set[str]) -> tuple[date, date]:
    year = f"{day:%Y}"
    if place_of(day, today) == year and not any(name.startswith(f"{year}_") for name in present):
        return date(day.year, 1, 1), date(day.year + 1, 1, 1)
    start = day.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


def _make(connection: Driver, span: tuple[date, date]) -> None:
    start, end = span
    is_year = end - start > timedelta(days=31)
    name = f"event_{start:%Y}" if is_year else f"event_{start:%Y_%m}"
    connection.execute(_MAKE.format(name=name))
    connection.execute(_ATTACH.format(name=name, start=start, end=end))
