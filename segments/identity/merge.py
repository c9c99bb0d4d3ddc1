"""A merge of two people, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Merging:
    """Who becomes whom, by inner ids."""

    app_id: int
    from_id: int
    into_id: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What of one kind moved, as far as moving it back needs it."""

    ids: Sequence[int] = ()
    moments: Sequence[datetime] | None = None
    detail: Any = None
    count: int | None = None

    @property
    def number(self) -> int:
        """How many things moved."""
        return len(self.ids) if self.count is None else self.count


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge as stored. `from_…` is the person who is no more."""

    id: int
    public_id: str
    into_id: int
    into_external_id: str
    from_id: int
    from_external_id: str
    names: Sequence[str]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    about_before: Mapping[str, Any]
    about_after: Mapping[str, Any]
    counts: Mapping[str, int]
    merged_at: datetime
    undone_at: datetime | None

    def undo_until(self, hours: int) -> datetime:
        """Return the end of the time in which it can be undone."""
        return self.merged_at + timedelta(hours=hours)
