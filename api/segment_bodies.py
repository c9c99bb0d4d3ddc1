"""Segments as callers send and get them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from api.fields import Document, ExternalId, Moment, Name, Page, Payload
from api.openapi import RULE_HERE
from segments.definitions.segment import NewSegment, Segment, SegmentVersion
from segments.rules.explaining import Finding
from segments.rules.mentions import Warned

RULE: dict[str, Any] = {
    "type": "all",
    "of": [
        {"type": "attribute", "name": "plan", "operator": "equals", "value": "gold"},
        {"type": "event", "name": "purchase", "window": {"last": "30 days"}},
    ],
}
WISH: dict[str, Any] = {"name": "Gold, bought lately", "description": None, "rule": RULE}
_WARNING = {
    "pointer": "/rule/of/1",
    "code": "unknown_event",
    "message": "Nobody has done `purchase`.",
}
SEGMENT: dict[str, Any] = {
    **WISH,
    "id": "seg_mfrggzdfmztwq2lknnwg23tpoa",
    "version": 1,
    "hash": "3b5d5c3712955042212316173ccf37be800bd1c9c6d0c1cf5f6b1fd9a0a0a0a0",
    "warnings": [_WARNING],
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
}
VERSION: dict[str, Any] = {
    **WISH,
    "version": 1,
    "hash": SEGMENT["hash"],
    "created_by": "key_mfrggzdfmztwq2lknnwg23tpoa",
    "created_at": "2026-03-01T12:00:00Z",
}
REACH: dict[str, Any] = {
    "people": 12_480,
    "deliverable": 9_102,
    "waterfall": [
        {"step": "matched", "people": 12_480},
        {"step": "device", "people": 10_950},
        {"step": "consent", "people": 10_100},
        {"step": "permission", "people": 9_120},
        {"step": "suppression_list", "people": 9_102},
    ],
    "platforms": {
        "android": {"people": 6_900, "devices": 7_300},
        "ios": {"people": 2_400, "devices": 2_650},
        "web": {"people": 0, "devices": 0},
    },
    "warnings": [],
    "by_today": [],
    "at": "2026-03-01T12:00:00Z",
}
OVERLAP = {
    "first": 9, "second": 5, "both": 2, "only_first": 7, "only_second": 3, "either": 12,
}  # fmt: skip
EXPLANATION: dict[str, Any] = {
    "person": "ada",
    "member": False,
    "at": "2026-03-01T12:00:00Z",
    "finding": {
        "pointer": "/rule",
        "holds": False,
        "words": "0 of 1 hold, and all of them must",
        "inside": [
            {
                "pointer": "/rule/of/0",
                "holds": False,
                "words": "the attribute `plan` does not exist",
                "inside": [],
            }
        ],
    },
    "by_today": [],
}
RuleDocument = Annotated[dict[str, Any], WithJsonSchema(dict(RULE_HERE))]
_Description = Annotated[str, StringConstraints(max_length=2_000)]


class SegmentPayload(Payload):
    """A segment: what it is called, and the rule that says whom it means."""

    name: Name
    description: _Description | None = None
    rule: RuleDocument

    model_config = ConfigDict(json_schema_extra={"examples": [WISH]})

    def to_new(self) -> NewSegment:
        """Return what is wanted."""
        return NewSegment(self.name, self.description, self.rule)


class RulePayload(Payload):
    """A rule to answer, as it is while somebody writes it."""

    rule: RuleDocument

    model_config = ConfigDict(json_schema_extra={"examples": [{"rule": RULE}]})


class RuleThenPayload(RulePayload):
    """A rule to answer; `at` is a past moment."""

    at: Moment | None = None


class ExplainPayload(RuleThenPayload):
    """A rule, and the person it is explained for."""

    person: ExternalId

    model_config = ConfigDict(json_schema_extra={"examples": [{"rule": RULE, "person": "ada"}]})


class WarningDocument(Document):
    """Something that is allowed and probably not meant: nobody meets that node."""

    pointer: str
    code: str
    message: str


class SegmentDocument(Document):
    """A segment. `hash` is the same for all rules that say the same in other ways."""

    id: str
    name: str
    description: str | None
    rule: RuleDocument
    version: int
    hash: str
    warnings: list[WarningDocument]
    created_at: datetime
    updated_at: datetime


class SegmentPage(Page):
    """Segments in the order they were made."""

    data: list[SegmentDocument]


class VersionDocument(Document):
    """What a segment was from `created_at` on; `created_by` is the id of a key."""

    version: int
    name: str
    description: str | None
    rule: RuleDocument
    hash: str
    created_by: str
    created_at: datetime


class VersionPage(Document):
    """Versions, newest first."""

    data: list[VersionDocument]
    next_cursor: str | None = None


class StepDocument(Document):
    """How many people are left after a step."""

    step: str
    people: int


class PlatformDocument(Document):
    """Who can be reached on a platform, and on how many devices."""

    people: int
    devices: int


class ReachDocument(Document):
    """Exact at the moment `at`: `people` are meant, `deliverable` of them can be reached.

    `waterfall` goes from the one to the other. For a past moment there is no waterfall, and
    `by_today` has the pointers of nodes that no history is kept for.
    """

    people: int
    deliverable: int | None
    waterfall: list[StepDocument]
    platforms: dict[str, PlatformDocument] | None
    warnings: list[WarningDocument]
    by_today: list[str]
    at: datetime


class OverlapDocument(Document):
    """How many people are in two segments, and in each of them."""

    first: int
    second: int
    both: int
    only_first: int
    only_second: int
    either: int


class FindingDocument(Document):
    """What was found at a node. Pointers inside of a `segment` lead into that one's rule."""

    pointer: str
    holds: bool
    words: str
    inside: list["FindingDocument"] = Field(default_factory=list)


class ExplanationDocument(Document):
    """Whether a person is meant, and why."""

    person: str
    member: bool
    at: datetime
    finding: FindingDocument
    by_today: list[str] = Field(
        description="For a past moment, the pointers of nodes that no history is kept for."
    )


def to_warnings(found: Sequence[Warned]) -> list[WarningDocument]:
    """Return warnings as the outside sees them."""
    return [WarningDocument.model_validate(one) for one in found]


def to_document(one: Segment, warned: Sequence[Warned]) -> SegmentDocument:
    """Return a segment as the outside sees it."""
    return SegmentDocument(
        id=one.public_id,
        name=one.name,
        description=one.description,
        rule=dict(one.rule),
        version=one.version,
        hash=one.rule_hash,
        warnings=to_warnings(warned),
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def to_version(one: SegmentVersion) -> VersionDocument:
    """Return a version as the outside sees it."""
    return VersionDocument(
        version=one.version,
        name=one.name,
        description=one.description,
        rule=dict(one.rule),
        hash=one.rule_hash,
        created_by=one.created_by,
        created_at=one.created_at,
    )


def to_finding(one: Finding) -> FindingDocument:
    """Return what was found as the outside sees it."""
    inside = [to_finding(each) for each in one.inside]
    return FindingDocument(pointer=one.pointer, holds=one.holds, words=one.words, inside=inside)
