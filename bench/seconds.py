"""What the gateway counted in whole seconds of Unix time; pure but for the asking."""

from collections.abc import Iterable, Mapping

from bench.platform import Bench
from delivery.sandbox.client import ControlClient

Seconds = Mapping[tuple[int, int], int]


def read_seconds(bench: Bench) -> Seconds:
    """Return how many pushes came by (second, status they got)."""
    with ControlClient(bench.sandbox) as control:
        return control.seconds()


def total(found: Seconds, within: Iterable[int], status: int | None = None) -> int:
    """Add up the pushes of some seconds, of one status or of all."""
    chosen = set(within)
    return sum(
        count
        for (second, got), count in found.items()
        if second in chosen and status in (None, got)
    )
