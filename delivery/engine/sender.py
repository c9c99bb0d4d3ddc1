"""Sending a window: hand it to the provider and turn each outcome into a decision."""

import logging
from dataclasses import dataclass
from datetime import datetime

from core.clock import steady_seconds
from core.telemetry import log_event
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.ports import Jitter
from delivery.engine.step_rules import sending_seconds
from delivery.engine.verdict import Attempt, decide
from delivery.engine.window import Addressed, Window
from delivery.outcome import Accepted, Outcome, Retry, Scope, Unknown
from delivery.push import Encoded, Report
from delivery.retry import RetryRules

_LOGGER = logging.getLogger(__name__)
# With less time than this left no window begins to leave.
SHORTEST_SECONDS = 1.0
# An outcome that is this much later than the timeout will never come.
_GRACE_SECONDS = 5.0
LEASE_SHORT = Retry("lease_short", Scope.DEVICE, counts=False)


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
        window.report = report = self._reporter(chunk, window)
        margin, now = self.lease_margin_seconds, steady_seconds()
        left = sending_seconds(chunk.lease_until, margin, SHORTEST_SECONDS, now)
        if left is None:
            for push in window.pushes:
                report(push.encoded, LEASE_SHORT)
            return
        timeout = min(self.timeout_seconds, left)
        window.late_at = steady_seconds() + timeout + _GRACE_SECONDS
        window.provider.send([push.encoded for push in window.pushes], timeout, report)

    def give_up_late(self, chunk: OpenChunk, now: float) -> None:
        """Decide about pushes whose outcome was lost by a defect: they must not stay open.

        Not at the first look: when this process has slept, the answers wait to be read.
        """
        for window in [late for late in chunk.departed if now > late.late_at]:
            if not window.is_overdue:
                window.is_overdue = True
                continue
            log_event(_LOGGER, "window.outcomes_missing", missing=len(window.unanswered))
            report = self._reporter(chunk, window)
            for push in list(window.unanswered.values()):
                report(push.encoded, Unknown("no_outcome"))

    def _reporter(self, chunk: OpenChunk, window: Window) -> Report:
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
                attempt = _attempt(chunk, window, push)
                chunk.answer(window, decide(outcome, attempt, self.rules, jitter))

        return report


def _age_seconds(first: datetime | None, now: datetime) -> float:
    return max(0.0, (now - first).total_seconds()) if first else 0.0


def _attempt(chunk: OpenChunk, window: Window, push: Addressed) -> Attempt:
    now = steady_seconds()
    return Attempt(
        position=push.position,
        target_id=push.target_id,
        number=chunk.lease.attempt,
        age_seconds=_age_seconds(chunk.lease.first_attempt_at, window.time(now)),
        # What a gateway says of a token is said of the token as it was read.
        sent_at=window.read_time,
        expires_in_seconds=window.expires_in_seconds - (now - window.read_at),
        at_least_once=chunk.at_least_once,
        platform=push.encoded.push.platform,
    )
