"""Locales, time zones and countries as payload types."""

from functools import cache
from importlib.resources import files
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

Locale = Annotated[
    str,
    StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,5}$"),
]


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _countries() -> frozenset[str]:
    """Return the two-letter codes of ISO 3166-1, as the time-zone database lists them."""
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    return frozenset(line[:2] for line in text.splitlines() if not line.startswith("#"))


def _check_time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("must be a name of the IANA time-zone database, such as Europe/Berlin")
    return name


def _check_country(code: str) -> str:
    if code not in _countries():
        raise ValueError("must be a two-letter code of ISO 3166-1, such as DE")
    return code


TimeZone = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_check_time_zone),
    WithJsonSchema({"type": "string", "format": "iana-time-zone"}),
]
Country = Annotated[
    str,
    StringConstraints(max_length=2),
    AfterValidator(_check_country),
    WithJsonSchema({"type": "string", "format": "iso-3166-1-alpha-2"}),
]
