"""Pushes that were handed to a provider together, and how to find them again while they wait."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from delivery.push import Report


@dataclass(frozen=True, slots=True)
class Batch:
    """What such pushes have in common; deadline by the own clock.

    The callbacks that wait for a token or a result are partial: their batch is bound first.
    """

    report: Report
    deadline: float


def reports_of(callbacks: Iterable[Callable[..., Any]]) -> set[Report]:
    """Return whom callbacks will tell what became of their pushes."""
    # Hundreds share a batch, so the batches come first.
    firsts = [one.args[0] for one in callbacks if isinstance(one, partial) and one.args]
    batches = {id(one): one for one in firsts}.values()
    return {batch.report for batch in batches if isinstance(batch, Batch)}


def tells(report: Report) -> Callable[[Callable[..., Any]], bool]:
    """Return a test for the callbacks that will tell `report`."""
    return lambda callback: _report_of(callback) == report


def _report_of(callback: Callable[..., Any]) -> Report | None:
    first = callback.args[0] if isinstance(callback, partial) and callback.args else None
    return first.report if isinstance(first, Batch) else None
