"""How the gateways behave besides token outcomes: one frozen value, replaced by the control API.

Draws are pure functions of the seed and the push, so the order of arrival changes nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from delivery.sandbox.outcomes import OUTCOMES

_MASK = (1 << 64) - 1
# How a spent quota may be told.
QUOTA_OUTCOMES = (
    "rate_limit_exceeded",
    "rate_limit_exceeded_bare",
    "quota_exceeded",
    "quota_exceeded_date",
    "quota_exceeded_bare",
)


class ProfileError(ValueError):
    """The profile has an unknown field or a value of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Answer times in milliseconds; a fixed time has all three equal."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Forced:
    """One outcome for every push of a provider, or only of one credential of it."""

    provider: str
    outcome: str
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Every knob of the sandbox; docs/reference/sandbox.md explains each."""

    seed: int = 0
    sink: bool = False
    latency: Latency | None = None
    server_error_share: float = 0.0
    throttled_share: float = 0.0
    forced: tuple[Forced, ...] = ()
    accept_any_credentials: bool = False
    retry_after_seconds: int = 10
    slow_seconds: float = 5.0
    message_keys: tuple[str, ...] = ("carillon_message_id", "message_id")
    keep_accepted: bool = True
    clock_offset_seconds: float = 0.0
    apns_environment: str = "any"
    connection_rules: bool = True
    wedge_after_expired: bool = False
    fcm_quota_per_minute: int | None = None
    timed_tokens: tuple[str, ...] = ()
    fcm_quota_window_seconds: float = 60.0
    fcm_quota_outcome: str = "rate_limit_exceeded"
    fcm_device_per_minute: int | None = None
    fcm_device_per_hour: int | None = None
    patience: int | None = None
    oauth_expires_in: int = 3599
    oauth_delay_seconds: float = 0.0
    oauth_failure: str = ""

    def outcome_forced_on(self, provider: str, credential: str) -> str | None:
        """Name the outcome that is forced on this credential, if one is."""
        for one in self.forced:
            if one.provider == provider and one.credential in ("", credential):
                return one.outcome
        return None


def draw(seed: int, salt: int, push: int) -> float:
    """Draw from [0, 1) for one push; the salt keeps draws for different purposes apart."""
    mixed = (push ^ (seed * 0x9E3779B97F4A7C15) ^ (salt * 0xC2B2AE3D27D4EB4F)) & _MASK
    mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 29)) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ (mixed >> 32)) / 2**64


def latency_seconds(latency: Latency, at: float) -> float:
    """Turn a draw into an answer time: log-linear between p50 / 2, p50, p99 and max."""
    if latency.p50 == latency.max:
        return latency.p50 / 1000
    points = ((0.0, latency.p50 / 2), (0.5, latency.p50), (0.99, latency.p99), (1.0, latency.max))
    for (low, start), (high, end) in pairwise(points):
        if at < high:
            part = (at - low) / (high - low)
            low_log, high_log = math.log(max(start, 0.001)), math.log(max(end, 0.001))
            return math.exp(low_log + part * (high_log - low_log)) / 1000
    return latency.max / 1000


def change_profile(current: Profile, changes: Mapping[str, Any]) -> Profile:
    """Return the profile with these JSON fields replaced; a null restores the default.

    Raises ProfileError for an unknown field or a wrong value.
    """
    known = {one.name: one.default for one in fields(Profile)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise ProfileError(f"{name} is no field of a profile")
        values[name] = known[name] if value is None else _read(name, value, known[name])
    return replace(current, **values)


def _read(name: str, value: object, default: object) -> object:
    reader = _READERS.get(name)
    if reader is not None:
        return reader(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default):
        raise ProfileError(f"{name} must be {type(default).__name__}")
    return value


def _read_latency(value: object) -> Latency:
    if isinstance(value, int | float):
        fixed = _positive("latency", value)
        return Latency(fixed, fixed, fixed)
    if isinstance(value, dict) and value.keys() == {"p50", "p99", "max"}:
        latency = Latency(*(_positive("latency", value[key]) for key in ("p50", "p99", "max")))
        if latency.p50 <= latency.p99 <= latency.max:
            return latency
    raise ProfileError("latency is milliseconds, or an object with p50 <= p99 <= max")


def _positive(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ProfileError(f"{name} must be a number from 0 up")
    return float(value)


def _read_forced(value: object) -> tuple[Forced, ...]:
    if not isinstance(value, list):
        raise ProfileError("forced is a list of objects with provider, outcome and credential")
    found: list[Forced] = []
    for one in value:
        try:
            forced = Forced(**one)
        except TypeError as error:
            raise ProfileError(f"forced: {error}") from error
        outcome = OUTCOMES.get(forced.outcome)
        if forced.provider not in ("apns", "fcm") or outcome is None:
            raise ProfileError(f"forced: no outcome {forced.outcome!r} of {forced.provider!r}")
        if not outcome.fits(forced.provider):
            raise ProfileError(f"forced: {forced.outcome!r} does not fit {forced.provider!r}")
        found.append(forced)
    return tuple(found)


def _read_share(value: object) -> float:
    share = _positive("a share", value)
    if share > 1:
        raise ProfileError("a share is at most 1")
    return share


def _strings(name: str) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ProfileError(f"{name} is a list of strings")
        return tuple(value)

    return read


def _whole(name: str) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ProfileError(f"{name} is a whole number")
        return value

    return read


def _one_of(name: str, *allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in allowed:
            raise ProfileError(f"{name} is one of {', '.join(allowed)}")
        return str(value)

    return read


_READERS: dict[str, Callable[[object], object]] = {
    "latency": _read_latency,
    "forced": _read_forced,
    "server_error_share": _read_share,
    "throttled_share": _read_share,
    "message_keys": _strings("message_keys"),
    "timed_tokens": _strings("timed_tokens"),
    **{
        name: _whole(name)
        for name in (
            "fcm_quota_per_minute",
            "fcm_device_per_minute",
            "fcm_device_per_hour",
            "patience",
        )
    },
    "fcm_quota_outcome": _one_of("fcm_quota_outcome", *QUOTA_OUTCOMES),
    "apns_environment": _one_of("apns_environment", "any", "development", "production"),
    "oauth_failure": _one_of("oauth_failure", "", "invalid_grant", "unavailable"),
}
