"""The figures of a benchmark for people: one line each."""

from collections.abc import Mapping
from typing import Any


def table(found: Mapping[str, Any]) -> str:
    """Return the figures one by line, those of `conditions` last."""
    rows = {name: value for name, value in found.items() if name != "conditions"}
    rows |= found.get("conditions", {})
    return "\n".join(f"{name:32} {value}" for name, value in rows.items())
