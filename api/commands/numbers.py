"""Numbers on the command line, refused with their bounds."""

import argparse


def port(text: str) -> int:
    """Return a TCP port; 0 leaves the choice to us."""
    return _within(text, 0, 65_535)


def count(text: str) -> int:
    """Return how many of something, at least one."""
    return _within(text, 1, 10_000_000)


def _within(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
    return int(text)
