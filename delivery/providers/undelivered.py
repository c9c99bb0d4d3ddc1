"""Outcomes that no gateway answered: what the transport says about a request."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.clock import steady_seconds
from delivery.outcome import Outcome, Paused, Rejected, Retry, Scope, Unknown, Withdrawn
from delivery.transport import Ambiguous, NotProcessed, Result

_RETRY_AFTER_CEILING_SECONDS = 86_400.0
_MOST_RESENDS = 3
_WAITS = {
    "connect": "gateway_unreachable",
    "refused": "stream_refused",
    "unsent": "gateway_busy",
}


def result_outcome(result: NotProcessed | Ambiguous) -> Outcome:
    """Return the outcome of a request without an answer."""
    if isinstance(result, Ambiguous):
        return Unknown("timeout" if result.reason == "timeout" else "connection_lost")
    if result.fault == "certificate":
        return Paused(
            "gateway_not_trusted",
            f"No trusted connection to the gateway: {result.reason}. Check the gateway's address, "
            "CARILLON_GATEWAY_CA_FILE and this machine's clock.",
        )
    if result.fault in {"too_large", "unsupported"}:
        return Rejected(result.fault, result.reason)
    if result.fault == "withdrawn":
        return Withdrawn()
    return Retry(_WAITS[result.fault], Scope.CONNECTION, counts=False)


def may_go_again(result: Result, resends: int, deadline: float) -> bool:
    """Tell whether a push may be sent again at once, on another connection perhaps.

    The gateway has not processed it, so this is no attempt. A gateway that refuses it again and
    again gets the ordinary pause. `deadline` is by the monotonic clock.
    """
    free = isinstance(result, NotProcessed) and result.fault in {"refused", "unsent"}
    return free and resends < _MOST_RESENDS and steady_seconds() < deadline


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, given as seconds or as an HTTP date.

    None when it is absent or unreadable; never negative, at most a day.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _seconds(text)
    if seconds is None:
        seconds = _seconds_until(text, now)
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _RETRY_AFTER_CEILING_SECONDS)


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
