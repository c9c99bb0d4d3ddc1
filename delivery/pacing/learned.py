"""What a gateway's 429 teaches: less at once, then slowly more. Pure; PostgreSQL keeps it."""

# On the first refusal of a freeze the share of the quota is multiplied by this …
DECREASE = 0.7
# … but never falls below this …
LEAST_SHARE = 0.05
# … and each minute after the freeze this is added.
INCREASE_PER_MINUTE = 0.05


def share_now(learned: float | None, seconds_since: float) -> float:
    """Return the share of the quota to use: 1 when nothing was learned or all is forgotten.

    `seconds_since` counts from the end of the freeze; before it is negative.
    """
    if learned is None:
        return 1.0
    return min(1.0, learned + max(0.0, seconds_since) / 60 * INCREASE_PER_MINUTE)
