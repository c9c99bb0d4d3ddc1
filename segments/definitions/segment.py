"""Segments as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SEGMENTS_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. `rule` is as it was written, `rule_hash` that of its canonical form."""

    id: int
    public_id: str
    name: str
    description: str | None
    rule: Mapping[str, Any]
    rule_hash: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SegmentVersion:
    """What a segment was, from `created_at` until the next version."""

    version: int
    name: str
    description: str | None
    rule: Mapping[str, Any]
    rule_hash: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSegment:
    """What somebody wants a segment to be."""

    name: str
    description: str | None
    rule: Mapping[str, Any]
