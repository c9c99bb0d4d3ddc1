"""When the next attempt is: pure arithmetic, with the random number handed in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryRules:
    """Bounds of retrying. FCM asks for at least 10 s before a first retry and 60 min at most."""

    floor_seconds: float
    ceiling_seconds: float
    max_attempts: int


def delay_seconds(
    rules: RetryRules, attempt: int, after_seconds: float | None, jitter: float
) -> float:
    """Return the seconds until the attempt after `attempt` (1, 2, …).

    Doubles from the floor with full jitter above it; `jitter` is uniform in [0, 1). A
    Retry-After of the gateway is never undercut; a fifth of it is added as jitter, so that the
    recipients of one refusal do not come back as one wave.
    """
    if after_seconds is not None:
        return min(max(after_seconds, 1.0) * (1 + jitter / 5), rules.ceiling_seconds)
    reach = rules.floor_seconds * float(2 ** min(attempt, 16))
    return min(rules.floor_seconds + jitter * (reach - rules.floor_seconds), rules.ceiling_seconds)


def is_exhausted(rules: RetryRules, attempt: int, first_attempt_age_seconds: float) -> bool:
    """Tell whether the attempts or the hour are used up.

    The hour begins with the first attempt that the gateway answered, however long its chunk had
    waited before: for its rate, for somebody to resume it, or for a gateway that was away.
    """
    is_late = attempt > 1 and first_attempt_age_seconds >= rules.ceiling_seconds
    return attempt >= rules.max_attempts or is_late
