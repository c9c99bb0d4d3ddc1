"""What was composed, as the API takes it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class How:
    """How a message is to be sent; `send_at` None means at once."""

    lane: str
    rate_per_second: float | None
    ttl_seconds: int
    collapse_id: str | None
    send_at: str | None


def read_data(text: str) -> dict[str, str]:
    """Return the pairs of `key=value` lines; raise `ValueError` naming the line that is none."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"Line {number} of the data is no `key=value`.")
        found[key.strip()] = value.strip()
    return found


def moment(day: date, clock: time, zone_name: str) -> str:
    """Return a local time as RFC 3339; raise `ValueError` for a zone nobody knows."""
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("This time zone is not known. Write it as in Europe/Berlin.") from error
    return datetime.combine(day, clock, zone).isoformat(timespec="seconds")


def message_body(whom: Mapping[str, Any], content: Mapping[str, Any], how: How) -> dict[str, Any]:
    """Return the body of `POST /v1/messages`; `whom` has `to`, and may have `exclude`."""
    optional = {
        "rate_per_second": how.rate_per_second,
        "collapse_id": how.collapse_id,
        "send_at": how.send_at,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return {
        **whom,
        "content": dict(content),
        "lane": how.lane,
        "ttl_seconds": how.ttl_seconds,
        **given,
    }
