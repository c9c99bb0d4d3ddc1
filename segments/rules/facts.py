"""What is known about one person: all that a rule can ask for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

Measure = datetime | int | Fraction


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """An installation with at least one target that has not been retired."""

    platform: str
    providers: frozenset[str]
    registered_at: datetime
    app_version: str | None = None
    os_version: str | None = None
    model: str | None = None
    locale: str | None = None
    permission: str = "unknown"
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFacts:
    """Something the person did. Numbers in `properties` are as exact as they were written."""

    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The end of a message at one of the person's devices, or a receipt: `state` is a milestone."""

    message: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """One person. Numbers in `attributes` are as exact as they were written.

    `consents` are those that hold, with the app's defaults for what the person did not say.
    `last_seen_at` is that of all devices, retired ones too. `rankings` has, by
    `canonical.ranking_key`, the value above which each score from 2 on begins; without
    values nobody is ranked.
    """

    external_id: str
    created_at: datetime
    attributes: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    last_seen_at: datetime | None = None
    consents: Mapping[str, bool] = field(default_factory=dict)
    devices: Sequence[DeviceFacts] = ()
    events: Sequence[EventFacts] = ()
    messages: Sequence[MessageFacts] = ()
    lists: frozenset[str] = frozenset()
    rankings: Mapping[str, Sequence[Measure]] = field(default_factory=dict)
