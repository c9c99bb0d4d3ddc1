"""The clock of leases and deadlines: it goes on while the machine sleeps."""

import time
from pathlib import Path

import pytest

from core.clock import steady_seconds

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_the_clock_that_counts_sleep() -> None:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    before, between, after = time.clock_gettime(clock), steady_seconds(), time.clock_gettime(clock)

    assert before <= between <= after


@pytest.mark.parametrize("folder", ["delivery/engine", "delivery/http2", "delivery/pacing"])
def test_nothing_on_the_way_of_a_push_reads_another_clock(folder: str) -> None:
    files = sorted((ROOT / folder).glob("*.py"))

    wrong = [
        file.name
        for file in files
        if any(word in file.read_text() for word in ("time.monotonic", "utc_now", "time.time("))
    ]

    assert files
    assert wrong == []
