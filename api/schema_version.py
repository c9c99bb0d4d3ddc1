"""Which schema this release needs: the newest file of migrations/versions."""

from functools import cache
from pathlib import Path

_VERSIONS = Path(__file__).resolve().parents[1] / "migrations" / "versions"


@cache
def newest_version() -> str:
    """Return the number of the newest migration; files never change while a process lives."""
    return max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))
