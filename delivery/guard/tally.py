"""What one worker saw gateways answer about the tokens of one credential; pure, moments given."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from delivery.guard.rules import GuardRules, Span

_UNBOUNDED = 1 << 30
_REPORT_SECONDS = 1.0


@dataclass(slots=True)
class _Second:
    """What came within one second, and how much of it was reported."""

    second: int
    answers: int = 0
    refused: int = 0
    reported: int = 0
    reported_refused: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers that came so long ago."""

    age_seconds: float
    answers: int
    refused: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker saw of one credential; `is_failing` asks whether it must pause."""

    app_id: int
    credential_id: int
    seen: Sequence[Seen]
    is_failing: bool


class Tally:
    """Counts by the second, for as long as the guard looks back. Moments are monotonic seconds.

    As long as nothing is known a worker goes carefully: if all tokens are refused, few must be
    tried until that is noticed.
    """

    def __init__(self, rules: GuardRules) -> None:
        self._rules = rules
        self._seconds: deque[_Second] = deque()
        # What is in all of them; asked for at every turn of the engine.
        self._answers = self._refused = self._untold = 0
        self._reported_at = 0.0
        self.is_watched = False  # somebody wants to know what comes, refusals or not
        self.rests = False  # somebody answers for what the gateway says

    def note(self, now: float, answers: int, refused: int) -> None:
        """Count answers that came now."""
        second = int(now)
        if not self._seconds or self._seconds[-1].second != second:
            self._forget(now)
            self._seconds.append(_Second(second))
        last = self._seconds[-1]
        last.answers += answers
        last.refused += refused
        self._answers += answers
        self._refused += refused
        self._untold += answers

    def allowed(self, now: float) -> int:
        """Return how many pushes may be on their way."""
        if self.rests:
            return _UNBOUNDED
        start = self._rules.head_start
        if self.is_failing(now):
            return start
        return start + 2 * (self._answers - self._refused)

    def is_failing(self, now: float) -> bool:
        """Tell whether too many tokens are refused, as far as this worker knows."""
        self._forget(now)
        if not self._refused:
            return False
        least = self._rules.head_start
        whole = Span(self._answers, self._refused)
        return self._rules.is_failing(whole, least) or self._rules.is_failing(
            self._lately(now), least
        )

    def is_empty(self, now: float) -> bool:
        """Tell whether nothing is left to know."""
        self._forget(now)
        return not self._seconds

    def take_report(self, now: float, *, at_once: bool = False) -> Sequence[Seen]:
        """Return what others shall know and do not yet; mostly nothing.

        What comes after a refusal is told as well: it may be what shows that the credential is good
        and the token bad. `at_once` does not wait for a second to pass, as there will be no later.
        """
        self._forget(now)
        if not (self._untold and (self._refused or self.is_watched)):
            return ()
        is_due = at_once or now >= self._reported_at + _REPORT_SECONDS
        if not (is_due or self.is_failing(now)):
            return ()
        self._reported_at, self._untold = now, 0
        return [_report(one, now) for one in self._seconds if one.answers > one.reported]

    def _lately(self, now: float) -> Span:
        answers = refused = 0
        for one in reversed(self._seconds):
            if one.second < now - self._rules.spans_seconds[1]:
                break
            answers += one.answers
            refused += one.refused
        return Span(answers, refused)

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0].second < now - self._rules.seconds:
            old = self._seconds.popleft()
            self._answers -= old.answers
            self._refused -= old.refused
            self._untold -= old.answers - old.reported


def _report(one: _Second, now: float) -> Seen:
    answers, refused = one.answers - one.reported, one.refused - one.reported_refused
    one.reported, one.reported_refused = one.answers, one.refused
    return Seen(max(0.0, now - one.second), answers, refused)
