"""Paths into JSON objects: `address.city`; a dot or backslash of a name is escaped. Pure."""

import re
from collections.abc import Mapping
from typing import Any

Path = tuple[str, ...]

STEPS_LIMIT = 10
_STEP = re.compile(r"(?:[^.\\]|\\[.\\])+", re.DOTALL)
MISSING = object()


def parse_path(text: str) -> Path:
    """Return the steps of a path; raise `ValueError` in words."""
    steps = _STEP.findall(text)
    if not steps or ".".join(steps) != text:
        raise ValueError(r"must be names with dots between them; write \. for a dot in a name")
    if len(steps) > STEPS_LIMIT:
        raise ValueError(f"may have at most {STEPS_LIMIT} names")
    return tuple(re.sub(r"\\(.)", r"\1", step, flags=re.DOTALL) for step in steps)


def path_text(path: Path) -> str:
    """Return the one text of a path."""
    return ".".join(re.sub(r"([.\\])", r"\\\1", step) for step in path)


def find(value: Any, path: Path) -> Any:
    """Return what stands at a path; `MISSING` for nothing or null. Lists have no names."""
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return MISSING
        value = value[step]
    return MISSING if value is None else value
