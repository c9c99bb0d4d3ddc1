"""A message as one person would get it, on each platform, with what is wrong with it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns.bounds import OneEffort
from campaigns.content import PLATFORMS, for_platform, render_content, sources_of
from campaigns.preparer import variables
from campaigns.template import RenderError, SkipRecipient, is_personal, render
from core.errors import FieldError
from delivery.engine.ports import Recipient
from delivery.providers.weight import Weight, weigh
from delivery.push import Notification, Push, Unsendable
from segments.people.person import Person

# An id as long as a real one: the size of a payload counts it.
_SAMPLE_ID = str(UUID(int=2**127))
_KINDS = {"ios": "alert", "android": "token", "web": "token"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What one platform shows; without a notification, `faults` or `skipped` say why."""

    platform: str
    notification: Notification | None = None
    weights: tuple[Weight, ...] = ()
    faults: tuple[FieldError, ...] = ()
    skipped: str | None = None


def preview(content: Mapping[str, Any], person: Person | None, now: datetime) -> list[Preview]:
    """Render `content` for `person` on each platform; without a person there are no attributes."""
    return [_on_platform(content, platform, person, now) for platform in PLATFORMS]


def oversize(content: Mapping[str, Any], now: datetime) -> FieldError | None:
    """Return the fault of content that is equal for all and fits no gateway of some platform."""
    for platform in PLATFORMS:
        if any(is_personal(source) for _, source in sources_of(content, platform)):
            continue
        weights = _on_platform(content, platform, None, now).weights
        if weights and all(weight.bytes > weight.limit_bytes for weight in weights):
            least = min(weights, key=lambda weight: weight.bytes)
            words = f"On {platform} it has {least.bytes} bytes; {least.limit_bytes} are allowed."
            return FieldError("/content", "too_large", words)
    return None


def _on_platform(
    content: Mapping[str, Any], platform: str, person: Person | None, now: datetime
) -> Preview:
    values = variables(_sample_device(platform), person)
    try:
        faults = _faults(content, platform, values)
        if faults:
            return Preview(platform, faults=faults)
        notification = render_content(for_platform(content, platform), values)
    except SkipRecipient as wish:
        return Preview(platform, skipped=str(wish) or "The template skips this person.")
    weights = weigh(_sample_push(platform, notification, now), now)
    if isinstance(weights, Unsendable):
        fault = FieldError(f"/content/{platform}", "invalid_value", weights.words)
        return Preview(platform, notification, faults=(fault,))
    faults = tuple(_too_large(weight) for weight in weights if weight.bytes > weight.limit_bytes)
    return Preview(platform, notification, tuple(weights), faults)


def _faults(
    content: Mapping[str, Any], platform: str, values: Mapping[str, Any]
) -> tuple[FieldError, ...]:
    found = []
    with OneEffort():
        for pointer, source in sources_of(content, platform):
            try:
                render(source, values)
            except RenderError as error:
                found.append(FieldError(pointer, "render_error", str(error)))
            except SkipRecipient:
                # Whoever sends stops at the first of both, too.
                if found:
                    break
                raise
    return tuple(found)


def _too_large(weight: Weight) -> FieldError:
    words = f"{weight.gateway.upper()} counts {weight.bytes} bytes and allows {weight.limit_bytes}."
    return FieldError("/content", "too_long", words)


def _sample_device(platform: str) -> Recipient:
    return Recipient(
        position=0,
        device_id=0,
        person_id=None,
        platform=platform,
        locale=None,
        time_zone=None,
        target_id=0,
        token="",
        kind=_KINDS[platform],
        topic=None,
    )


def _sample_push(platform: str, notification: Notification, now: datetime) -> Push:
    return Push(
        id=_SAMPLE_ID,
        message_id="",
        token="",
        kind=_KINDS[platform],
        platform=platform,
        topic=None,
        notification=notification,
        expires_at=now + timedelta(days=1),
        collapse_id=None,
        priority="high",
    )
