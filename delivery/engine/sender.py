"""Sending a window: hand it to the provider and turn each outcome into a decision."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from core.clock import utc_now
from core.telemetry import log_event
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.ports import Jitter
from delivery.engine.verdict import Attempt, decide
from delivery.engine.window import Addressed, Window
from delivery.outcome import Accepted, Outcome, Retry, Scope, Unknown
from delivery.push import Encoded, Report
from delivery.retry import RetryRules

_LOGGER = logging.getLogger(__name__)
_SHORTEST_SECONDS = 1.0
# An outcome that is this much later than the timeout will never come.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends windows within what is left of the lease."""

    rules: RetryRules
    jitter: Jitter
    timeout_seconds: float
    lease_margin_seconds: float

    def send(self, chunk: OpenChunk, window: Window) -> None:
        """Start all pushes of `window`; no byte leaves later than the lease's end less a margin."""
        window.unanswered = {id(push.encoded): push for push in window.pushes}
        report = self._reporter(chunk, window)
        left = chunk.lease_until - self.lease_margin_seconds - time.monotonic()
        if left < _SHORTEST_SECONDS:
            for push in window.pushes:
                report(push.encoded, Retry("lease_short", Scope.DEVICE, counts=False))
            return
        timeout = min(self.timeout_seconds, left)
        window.late_at = time.monotonic() + timeout + _GRACE_SECONDS
        window.provider.send([push.encoded for push in window.pushes], timeout, report)

    def give_up_late(self, chunk: OpenChunk, now: float) -> None:
        """Decide about pushes whose outcome was lost by a defect: they must not stay open."""
        for window in [late for late in chunk.departed if now > late.late_at]:
            log_event(_LOGGER, "window.outcomes_missing", missing=len(window.unanswered))
            report = self._reporter(chunk, window)
            for push in list(window.unanswered.values()):
                report(push.encoded, Unknown("no_outcome"))

    def _reporter(self, chunk: OpenChunk, window: Window) -> Report:
        started = utc_now()
        # One draw for all: recipients that wait alike stay together in one chunk.
        jitter = self.jitter()
        unanswered = window.unanswered

        def report(encoded: Encoded, outcome: Outcome) -> None:
            push = unanswered.pop(id(encoded), None)
            if push is None:
                return
            if isinstance(outcome, Accepted):
                # Nearly all: nothing is left to decide.
                chunk.accept(window, push.position, outcome.gateway_id)
            else:
                attempt = _attempt(chunk, window, push, started)
                chunk.answer(window, decide(outcome, attempt, self.rules, jitter))

        return report


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
