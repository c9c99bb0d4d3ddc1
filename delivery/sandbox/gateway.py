"""What both gateways share: the state of this process, and a chosen outcome turned into a reply."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import orjson

from delivery.sandbox.answer import JSON_HEADERS, Answer, Headers, Reply
from delivery.sandbox.connections import Connection
from delivery.sandbox.device_limits import DeviceLimits
from delivery.sandbox.fcm_errors import Fault
from delivery.sandbox.oauth import AccessTokens
from delivery.sandbox.outcomes import OUTCOMES, Outcome
from delivery.sandbox.profile import Profile, draw, latency_seconds
from delivery.sandbox.provider_token import ProviderToken
from delivery.sandbox.quotas import Quotas
from delivery.sandbox.reasons import REASONS
from delivery.sandbox.record import Record, pair_hash
from delivery.sandbox.registry import Registry

_LATENCY, _SHARES = 1, 2
# Long before any registration that a test can make: 2001-09-09T01:46:40Z.
_PAST_MS = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Push:
    """A valid push on its way to an outcome."""

    provider: str
    token: str
    message: str
    body: bytes
    credential: str
    pair: int


def make_push(provider: str, token: str, message: str, body: bytes, credential: str) -> Push:
    """Build a push with the hash of its (token, message)."""
    return Push(provider, token, message, body, credential, pair_hash(token, message))


class Gateway:
    """The state of the sandbox: one object, one process, one event loop."""

    def __init__(self, folder: Path, profile: Profile) -> None:
        self.profile = profile
        self.registry = Registry()
        self.record = Record(folder / "accepted.tsv")
        self.access_tokens = AccessTokens(profile.seed)
        self.connections: dict[str, Connection] = {}
        self.provider_tokens: dict[str, ProviderToken] = {}
        self.quotas = Quotas()
        self.devices = DeviceLimits()

    def now(self) -> float:
        """Return the time of the gateways, which a profile may shift."""
        return time.time() + self.profile.clock_offset_seconds

    def reset(self) -> None:
        """Forget what was seen; credentials, access tokens and the profile stay."""
        self.record.reset()
        self.quotas.reset()
        self.devices.reset()
        for connection in self.connections.values():
            connection.token, connection.wedged, connection.errors = None, False, 0

    def decide(self, push: Push, chosen: Outcome) -> tuple[Outcome, bool]:
        """Settle which outcome a valid push gets; the flag says whether it is accepted."""
        forced = self.profile.outcome_forced_on(push.provider, push.credential)
        if forced is not None:
            chosen = OUTCOMES[forced]
        elif chosen.accepts:
            chosen = self._share(push, chosen)
        if chosen.once and self.record.attempt(push.pair) > 1:
            chosen = OUTCOMES["accepted"]
        if chosen.accepts:
            self.accept(push)
        return chosen, chosen.accepts

    def accept(self, push: Push) -> None:
        """Record an accepted push."""
        self.record.accept(push.pair, push.body)
        if push.token.startswith(self.profile.timed_tokens):
            self.record.note_arrival(push.token, push.message, self.now())
        if self.profile.keep_accepted:
            self.record.write_accepted(push.provider, push.token, push.message)

    def delay(self, pair: int, outcome: Outcome) -> float:
        """Return how long the answer to a push waits, in seconds."""
        seconds = self.profile.slow_seconds if outcome.slow else 0.0
        if self.profile.latency is not None:
            drawn = draw(self.profile.seed, _LATENCY, pair)
            seconds += latency_seconds(self.profile.latency, drawn)
        return seconds

    def retry_after(self, form: str, seconds: int | None = None) -> Headers:
        """Build the Retry-After header in seconds or as a date, or none."""
        seconds = self.profile.retry_after_seconds if seconds is None else seconds
        if form == "seconds":
            return (("retry-after", str(seconds)),)
        if form == "date":
            moment = datetime.fromtimestamp(self.now() + seconds, UTC)
            return (("retry-after", format_datetime(moment, usegmt=True)),)
        return ()

    def _share(self, push: Push, chosen: Outcome) -> Outcome:
        """Let the shares of 5xx and 429 take a push; each attempt is drawn anew."""
        errors, throttled = self.profile.server_error_share, self.profile.throttled_share
        if errors == throttled == 0:
            return chosen
        attempt = self.record.attempt(push.pair)
        drawn = draw(self.profile.seed, _SHARES + attempt, push.pair)
        if drawn < errors:
            return OUTCOMES["server_error"]
        return OUTCOMES["throttled"] if drawn < errors + throttled else chosen


def apns_answer(outcome: Outcome, headers: Headers, now: float) -> Answer:
    """Put an outcome that is not accepted into an APNs answer."""
    if outcome.raw is not None:
        return Answer(outcome.raw_status, outcome.name, headers, outcome.raw)
    return reason_answer(outcome.reason, headers, now, outcome.timestamp)


def reason_answer(reason: str, headers: Headers, now: float, timestamp: str = "now") -> Answer:
    """Put a reason into an APNs answer; a 410 says when the token ended, in milliseconds."""
    body: dict[str, object] = {"reason": reason}
    if REASONS[reason] == 410 and timestamp != "absent":
        body["timestamp"] = int(now * 1000) if timestamp == "now" else _PAST_MS
    content_type = (("content-type", "application/json"),)
    return Answer(REASONS[reason], reason, content_type + headers, orjson.dumps(body))


def fcm_answer(outcome: Outcome, headers: Headers) -> Answer:
    """Put an outcome that is not accepted into an FCM answer."""
    if outcome.raw is not None:
        return Answer(outcome.raw_status, outcome.name, headers, outcome.raw)
    answer = (outcome.fault or OUTCOMES["internal"].fault or _NO_FAULT).answer()
    return Answer(answer.status, answer.label, JSON_HEADERS + headers, answer.body)


def never(label: str) -> Reply:
    """Build the reply that does not come."""
    return Reply(Answer(503, label), hangs=True)


_NO_FAULT = Fault(500, "INTERNAL", "Internal error encountered.")
