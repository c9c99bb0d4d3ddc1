"""Which limits a window is under, and how fast each may go now."""

from collections.abc import Sequence
from dataclasses import dataclass

from delivery.pacing.gcra import Limit, Share
from delivery.pacing.learned import share_now
from delivery.pacing.ramp import Ramp

# What a gateway counts in its minute is never quite what we count in ours.
QUOTA_SHARE = 0.98
# How much of the quota may be caught up on, and how much of a message's rate: a minute with it
# stays within the quota, ten seconds with it within one per cent of the rate.
_QUOTA_BURST_SECONDS = 1.0
_RATE_BURST_SECONDS = 0.1
# A message whose own rate is at most this part of a quota waits for no other message: it would
# come too late for its own rate. All of them together have so much of the quota to do so.
_SLOW_PART = 0.1
_SLOW_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class PacingRules:
    """What an operator sets about pacing."""

    fcm_quota_per_minute: int
    transactional_share: float  # of each quota, kept for the transactional lane


@dataclass(frozen=True, slots=True)
class Paced:
    """What decides the pace of a window: the message's rate and the quota of its credential."""

    app_id: int
    message_id: int
    credential_id: int
    provider: str
    project_id: str | None
    is_transactional: bool
    rate_per_second: float | None
    quota_per_minute: int | None
    learned_share: float | None
    learned_seconds: float  # since what was learned began to be forgotten


class Limits:
    """Knows the limits of windows; keeps the ramps of the quotas it has seen."""

    def __init__(self, rules: PacingRules, ramp: Ramp) -> None:
        self._rules = rules
        self._ramp = ramp

    def of(self, paced: Paced) -> list[Limit]:
        """Return the limits of a window; the message's own comes last."""
        limits = []
        quota = paced.quota_per_minute
        if quota is None and paced.provider == "fcm":
            quota = self._rules.fcm_quota_per_minute
        if quota is not None:
            limits.append(self._quota(paced, quota / 60))
        if paced.rate_per_second is not None:
            burst = _RATE_BURST_SECONDS
            limits.append(Limit(f"message:{paced.message_id}", paced.rate_per_second, burst))
        return limits

    def used(self, limits: Sequence[Limit], pushes: int) -> None:
        """Count what was granted: a ramp rises only while it is used."""
        for limit in limits:
            self._ramp.used(limit.scope, pushes)

    def _quota(self, paced: Paced, quota_per_second: float) -> Limit:
        learned = share_now(paced.learned_share, paced.learned_seconds)
        per_second = quota_per_second * QUOTA_SHARE * learned
        scope = _scope(paced)
        level = self._ramp.level(scope, per_second)
        now = per_second * level
        share, part = self._share(paced, now)
        # On the ramp nothing is caught up on: the gateway wants a slope, not a step.
        burst = _QUOTA_BURST_SECONDS if level >= 1 else 0.0
        return Limit(scope, now, burst, now * part, share)

    def _share(self, paced: Paced, per_second: float) -> tuple[Share, float]:
        if paced.is_transactional:
            return Share.TRANSACTIONAL, self._rules.transactional_share
        rate = paced.rate_per_second
        is_slow = rate is not None and rate <= per_second * _SLOW_PART
        return Share.SLOW, _SLOW_SHARE if is_slow else 0.0


def _scope(paced: Paced) -> str:
    # Google counts by project, whichever of its keys is used; but no app may spend another's.
    if paced.provider == "fcm":
        return f"quota:{paced.app_id}:fcm:{paced.project_id}"
    return f"quota:{paced.app_id}:{paced.credential_id}"
