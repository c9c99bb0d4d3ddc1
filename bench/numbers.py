"""Numbers on the command line, refused with their bounds."""

import argparse
import math
from collections.abc import Callable

_MOST = 100_000_000


def whole_number(text: str) -> int:
    """Return a whole number from 1 up."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)


def seconds(text: str) -> float:
    """Return seconds from 0 up."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 up")
    return value


def number_between(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers within these bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
        return value

    return read
