"""What the processes of a platform under measurement use, by what they are for."""

from collections import defaultdict
from collections.abc import Mapping

import psutil

# What marks a command line, and what the process is for; the first that fits counts.
_MARKS = (
    ("postgres", "database"),
    ("valkey", "redis"),
    ("api.worker campaign", "campaign_worker"),
    ("api.worker", "other_workers"),
    ("delivery.sandbox", "gateway"),
    ("api.scheduler", "scheduler"),
    ("granian", "api"),
)

Costs = Mapping[str, float]


def cpu_seconds() -> Costs:
    """Return the processor seconds that the children of this process have used so far."""
    used: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            words, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.Error:
            continue
        purpose = next((purpose for mark, purpose in _MARKS if mark in words), "others")
        used[purpose] += times.user + times.system
    return used


def per_push(before: Costs, after: Costs, pushes: int) -> dict[str, float]:
    """Return microseconds by purpose, without those that come to nothing."""
    spent = {
        purpose: (after[purpose] - before.get(purpose, 0.0)) * 1e6 / pushes for purpose in after
    }
    return {purpose: round(us, 1) for purpose, us in sorted(spent.items()) if us >= 0.05}
