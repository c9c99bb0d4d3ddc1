"""What the OAuth token endpoint answers: a token or an outcome for all who wait; pure.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from delivery.outcome import Outcome, Paused, Retry, Scope
from delivery.providers.undelivered import result_outcome, retry_after
from delivery.transport import Answer, Result

_RETRY_SECONDS = 10.0
_PASSING = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token; the moments are Unix seconds, `renew_at` lies before `usable_until`."""

    value: str = field(repr=False)
    renew_at: float
    usable_until: float

    def to_text(self) -> str:
        """Return the token as text for a cache."""
        return orjson.dumps([self.value, self.renew_at, self.usable_until]).decode()

    @classmethod
    def from_text(cls, text: str) -> "AccessToken | None":
        """Read what `to_text` wrote; None when it is something else."""
        try:
            value, renew_at, usable_until = orjson.loads(text)
            return cls(str(value), float(renew_at), float(usable_until))
        except (ValueError, TypeError):
            return None


def read_token(result: Result, now: datetime) -> AccessToken | Outcome:
    """Return the token in an answer, else what its absence means for the pushes that need it."""
    if not isinstance(result, Answer):
        failure = result_outcome(result)
        return failure if isinstance(failure, Paused) else _unavailable(None)
    body = _read(result.body)
    if result.status == 200:
        return _token(body, now) or _unavailable(None)
    error = str(body.get("error", ""))
    if result.status in {408, 429} or result.status >= 500 or error in _PASSING:
        return _unavailable(retry_after(result.headers, now))
    description = str(body.get("error_description", ""))
    return _refused(error or f"http_{result.status}", description)


def _token(body: dict[str, Any], now: datetime) -> AccessToken | None:
    value, lifetime = body.get("access_token"), body.get("expires_in")
    if not isinstance(value, str) or not value or not isinstance(lifetime, int | float):
        return None
    expires_at = now.timestamp() + lifetime
    return AccessToken(
        value,
        renew_at=expires_at - min(300.0, lifetime / 2),
        usable_until=expires_at - min(30.0, lifetime / 10),
    )


def _unavailable(after_seconds: float | None) -> Retry:
    after = _RETRY_SECONDS if after_seconds is None else after_seconds
    return Retry("oauth_unavailable", Scope.PROJECT, after, counts=False)


def _refused(error: str, description: str) -> Paused:
    detail = f": {description}" if description else ""
    return Paused(
        f"oauth_{error}",
        f"Google refuses the service account ({error}{detail}). Check that its key exists, is not "
        "revoked, and that this machine's clock is right.",
    )


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
