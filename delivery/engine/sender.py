"""Sending a window: hand it to the provider and turn each outcome into a decision."""

import time
from dataclasses import dataclass
from datetime import datetime

from core.clock import utc_now
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.ports import Jitter
from delivery.engine.verdict import Attempt, decide
from delivery.engine.window import Addressed, Window
from delivery.outcome import Outcome, Retry, Scope
from delivery.push import Encoded
from delivery.retry import RetryRules

_SHORTEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends windows within what is left of the lease."""

    rules: RetryRules
    jitter: Jitter
    timeout_seconds: float
    lease_margin_seconds: float

    def send(self, chunk: OpenChunk, window: Window) -> None:
        """Start all pushes of `window`; no byte leaves later than the lease's end less a margin."""
        positions = {id(push.encoded): push for push in window.pushes}
        started = utc_now()

        def report(encoded: Encoded, outcome: Outcome) -> None:
            push = positions[id(encoded)]
            attempt = _attempt(chunk, window, push, started)
            chunk.answer(window, decide(outcome, attempt, self.rules, self.jitter()))

        left = chunk.lease_until - self.lease_margin_seconds - time.monotonic()
        if left < _SHORTEST_SECONDS:
            for push in window.pushes:
                report(push.encoded, Retry("lease_short", Scope.DEVICE, counts=False))
            return
        timeout = min(self.timeout_seconds, left)
        window.provider.send([push.encoded for push in window.pushes], timeout, report)


def _age_seconds(first: datetime | None, now: datetime) -> float:
    return max(0.0, (now - first).total_seconds()) if first else 0.0


def _attempt(chunk: OpenChunk, window: Window, push: Addressed, started: datetime) -> Attempt:
    return Attempt(
        position=push.position,
        target_id=push.target_id,
        number=chunk.lease.attempt,
        age_seconds=_age_seconds(chunk.lease.first_attempt_at, utc_now()),
        sent_at=started,
        expires_in_seconds=window.expires_in_seconds - (time.monotonic() - window.sent_at),
        at_least_once=chunk.at_least_once,
    )
