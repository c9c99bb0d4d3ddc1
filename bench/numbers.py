"""Numbers on the command line, refused with their bounds."""

import argparse

_MOST = 100_000_000


def whole_number(text: str) -> int:
    """Return a whole number from 1 up."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)
