"""Dates and times as they stand in attributes and properties: ISO 8601, and nothing else. Pure.

One regular expression decides in both engines. What passes it never fails to be read.
"""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

_YEAR = "[1-9][0-9]{3}"
_LEAP_YEAR = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?"
_OFFSET = "(?:[Zz]|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
# Read by PostgreSQL and by Python.
DATE_TEXT: Final = f"^{_DAY}(?:[Tt ]{_TIME}{_OFFSET})?$"
# The parts of most dates, by membership of which they are seen at a fraction of what the expression
# costs: a year, a day of it in any year, hour, minute and second, three digits of a fraction, and
# what ends a time. What has another part, such as the 29th of February or an offset, is left to it.
PLAIN_PARTS: Final[Mapping[str, Sequence[str]]] = {
    "year": [str(year) for year in range(1900, 2101)],
    "day": [
        f"-{month:02}-{day:02}"
        for month in range(1, 13)
        for day in range(1, monthrange(1, month)[1] + 1)
    ],
    "hour": [f"{mark}{hour:02}" for mark in "Tt " for hour in range(24)],
    "sixtieth": [f":{sixtieth:02}" for sixtieth in range(60)],
    "fraction": [f".{thousandth:03}" for thousandth in range(1000)],
    "end": ["Z", "z", *(f"{millionth:03}Z" for millionth in range(1000))],
}
# Longer texts are none.
LONGEST: Final = 35
_COMPILED = re.compile(DATE_TEXT.removesuffix("$"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def is_date_text(text: str) -> bool:
    """Tell whether a text is a day such as 2026-03-01 or a time such as 2026-03-01T12:00:00Z."""
    return len(text) <= LONGEST and _COMPILED.fullmatch(text) is not None


def ticks(at: datetime) -> int:
    """Return the microseconds of a moment since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def text_ticks(text: str) -> int:
    """Return the microseconds since 1970 of a time that passed; digits behind them are cut off.

    Counted by hand: the last hours of the year 9999 are no `datetime` everywhere.
    """
    clock, offset = _split(text[11:])
    hours, minutes, seconds = clock.split(":")
    whole, _, fraction = seconds.partition(".")
    days = date.fromisoformat(text[:10]).toordinal() - _EPOCH.toordinal()
    total = days * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + int(whole) - offset
    return total * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def _split(text: str) -> tuple[str, int]:
    if text[-1] in "Zz":
        return text[:-1], 0
    clock, sign, hours, minutes = text[:-6], text[-6], text[-5:-3], text[-2:]
    seconds = int(hours) * 3_600 + int(minutes) * 60
    return clock, -seconds if sign == "-" else seconds
