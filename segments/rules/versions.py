"""Versions of apps and systems, in the order of semantic versioning. Pure.

Up to four numbers count, so that `19.1` and `4.2.0.1318` are versions, too.
"""

import re
from dataclasses import dataclass
from typing import Final

# Read by PostgreSQL and by Python.
VERSION: Final = (
    "^[vV]?[0-9]{1,18}(?:[.][0-9]{1,18}){0,3}"
    "(?:-[0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*)?(?:[+][0-9A-Za-z.-]+)?$"
)
NUMBERS: Final = 4
_COMPILED = re.compile(VERSION.removesuffix("$"))


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version: its numbers, then the key of what stands behind the hyphen.

    A release comes behind everything that was released before it, so its key is highest.
    """

    numbers: tuple[int, int, int, int]
    before_release: tuple[str, ...]


RELEASE: Final = ("~",)


def parse_version(text: str) -> Version | None:
    """Return a version; None for a text that is none."""
    if not _COMPILED.fullmatch(text):
        return None
    core, _, suffix = text.lstrip("vV").partition("+")[0].partition("-")
    numbers = [int(part) for part in core.split(".")]
    one, two, three, four = numbers + [0] * (NUMBERS - len(numbers))
    return Version((one, two, three, four), _keys(suffix) if suffix else RELEASE)


def _keys(suffix: str) -> tuple[str, ...]:
    return tuple(identifier_key(part) for part in suffix.split("."))


def identifier_key(part: str) -> str:
    """Return a text that sorts an identifier: numbers first and by value, then letters."""
    if not part.isdigit():
        return f"1{part}"
    digits = part.lstrip("0")
    return f"0{len(digits):03}{digits}"
