"""From an outcome to its consequences: pure, no clock, no database; one recipient at a time."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from delivery.chunks.chunk import CredentialVerdict, Ended, Retried, TargetVerdict
from delivery.outcome import (
    QUOTA_EXCEEDED,
    Accepted,
    Gone,
    Outcome,
    Paused,
    Rejected,
    Retry,
    Scope,
    Unknown,
    Withdrawn,
)
from delivery.retry import RetryRules, delay_seconds, is_exhausted
from delivery.states import RecipientState

RETRIES_EXHAUSTED = "retries_exhausted"
# An earlier try may have arrived, and no other will be made.
UNCONFIRMED = "unconfirmed"
_WORDS_LIMIT = 500
# Then it is known until when its platform is on hold.
_HOLD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send of one recipient, and the bounds that its next step must respect."""

    position: int
    target_id: int
    number: int
    age_seconds: float  # since the first attempt of this recipient
    sent_at: datetime
    expires_in_seconds: float
    at_least_once: bool
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The consequences of one outcome: `end` or `retry`, and what it teaches."""

    end: Ended | None = None
    retry: Retried | None = None
    target: TargetVerdict | None = None
    credential: CredentialVerdict | None = None


def decide(outcome: Outcome, attempt: Attempt, rules: RetryRules, jitter: float) -> Decision:
    """Return what follows from `outcome`; `jitter` is uniform in [0, 1)."""
    if isinstance(outcome, Accepted):
        return _end(attempt, RecipientState.ACCEPTED, None, outcome.gateway_id)
    if isinstance(outcome, Gone):
        return _gone(outcome, attempt)
    if isinstance(outcome, Rejected):
        return _rejected(outcome, attempt)
    return _not_now(outcome, attempt, rules, jitter)


def _not_now(
    outcome: Retry | Unknown | Paused | Withdrawn,
    attempt: Attempt,
    rules: RetryRules,
    jitter: float,
) -> Decision:
    match outcome:
        case Retry():
            return _retry(outcome, attempt, rules, jitter)
        case Unknown() if attempt.at_least_once:
            again = Retry(outcome.reason, Scope.DEVICE)
            return _in_doubt(_retry(again, attempt, rules, jitter), outcome.reason)
        case Unknown():
            return _end(attempt, RecipientState.UNKNOWN, outcome.reason, None)
        case Paused():
            return _paused(outcome, attempt, rules, jitter)
        case Withdrawn():
            # Whoever claims it next reads why it may not be sent, and whether it ends.
            return Decision(retry=Retried(attempt.position, 0.0, "", attempt.number))


def _end(
    attempt: Attempt, state: RecipientState, reason: str | None, words: str | None
) -> Decision:
    text = _storable(words) if words else None
    return Decision(end=Ended(attempt.position, state.value, reason, text))


def _storable(words: str) -> str:
    # One character that PostgreSQL does not take would hold up a whole window's outcomes.
    return words.replace("\0", "")[:_WORDS_LIMIT]


def _gone(outcome: Gone, attempt: Attempt) -> Decision:
    at = (
        attempt.sent_at
        if outcome.at_ms is None
        else datetime.fromtimestamp(outcome.at_ms / 1000, UTC)
    )
    end = Ended(attempt.position, RecipientState.GONE.value, outcome.reason)
    verdict = TargetVerdict(attempt.target_id, "retired", outcome.reason, at)
    return Decision(end=end, target=verdict)


def _rejected(outcome: Rejected, attempt: Attempt) -> Decision:
    decision = _end(attempt, RecipientState.REJECTED, outcome.reason, outcome.words)
    if not outcome.suspect:
        return decision
    verdict = TargetVerdict(attempt.target_id, "suspect", outcome.reason, attempt.sent_at)
    return Decision(end=decision.end, target=verdict)


def _retry(outcome: Retry, attempt: Attempt, rules: RetryRules, jitter: float) -> Decision:
    freeze = None
    if outcome.scope is Scope.PROJECT and outcome.after_seconds is not None:
        freeze = CredentialVerdict(
            outcome.reason,
            "",
            freeze_seconds=outcome.after_seconds,
            slow_down=outcome.reason == QUOTA_EXCEEDED,
        )
    if outcome.counts:
        delay = delay_seconds(rules, attempt.number, outcome.after_seconds, jitter)
        number = attempt.number + 1
    else:
        # The gateway never saw it: soon, and slower the longer it has been away.
        delay = min(max(1.0, attempt.age_seconds / 4), 30.0) * (1 + jitter)
        number = attempt.number
    if delay >= attempt.expires_in_seconds:
        end = Ended(attempt.position, RecipientState.EXPIRED.value, outcome.reason)
        return Decision(end=end, credential=freeze)
    if outcome.counts and is_exhausted(rules, attempt.number, attempt.age_seconds):
        end = Ended(
            attempt.position, RecipientState.REJECTED.value, RETRIES_EXHAUSTED, outcome.reason
        )
        return Decision(end=end, credential=freeze)
    retry = Retried(attempt.position, delay, outcome.reason, number)
    return Decision(retry=retry, credential=freeze)


def _in_doubt(decision: Decision, reason: str) -> Decision:
    """Keep in mind that the gateway may have it: no end may say that it has not."""
    if decision.retry:
        return replace(decision, retry=replace(decision.retry, in_doubt=True))
    if decision.end:
        unknown = Ended(decision.end.position, RecipientState.UNKNOWN.value, reason)
        return replace(decision, end=unknown)
    return decision


def doubted(decision: Decision) -> Decision:
    """Return a decision about somebody whom a gateway may have from an earlier try.

    What the gateway says now is the truth; what only we say is not.
    """
    end = decision.end
    is_ours = end is not None and (
        end.state in {RecipientState.SUPPRESSED, RecipientState.EXPIRED}
        or end.reason == RETRIES_EXHAUSTED
    )
    return _in_doubt(decision, UNCONFIRMED) if decision.retry or is_ours else decision


def _paused(outcome: Paused, attempt: Attempt, rules: RetryRules, jitter: float) -> Decision:
    if outcome.platforms and attempt.platform not in outcome.platforms:
        # No hold will keep it back, so it must not be tried for ever.
        return _retry(Retry(outcome.reason, Scope.DEVICE), attempt, rules, jitter)
    # Only some platforms of a project may be affected: then its credential goes on.
    reason, delay = _storable(outcome.reason), _HOLD_SECONDS if outcome.platforms else 0.0
    verdict = CredentialVerdict(reason, _storable(outcome.words), platforms=outcome.platforms)
    # Not the push was refused, so it is no attempt.
    retry = Retried(attempt.position, delay, reason, attempt.number)
    return Decision(retry=retry, credential=verdict)


def strictest(
    first: CredentialVerdict | None, second: CredentialVerdict | None
) -> CredentialVerdict | None:
    """Return the stricter: a pause over a freeze over a hold, a longer freeze over a shorter."""
    if first is None or second is None:
        return first or second
    if first.freeze_seconds is None or second.freeze_seconds is None:
        return min(first, second, key=_mildness)
    longer = first if first.freeze_seconds >= second.freeze_seconds else second
    return replace(longer, slow_down=first.slow_down or second.slow_down)


def _mildness(verdict: CredentialVerdict) -> int:
    if verdict.platforms:
        return 2
    return 0 if verdict.freeze_seconds is None else 1
