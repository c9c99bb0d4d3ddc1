"""Recipients with attributes, and what they get one by one: the slow way, which is the truth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from campaigns.content import for_platform, render_content
from campaigns.facts import Facts, Layout
from campaigns.letter import Book
from campaigns.preparer import variables, write_all
from campaigns.template import RenderError, SkipRecipient
from delivery.engine.ports import Recipient, Skipped
from delivery.push import Notification
from delivery.states import SuppressedReason
from segments.people.person import Person

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Someone:
    """A recipient; without attributes it is nobody's device."""

    attributes: Mapping[str, Any] | None = field(default_factory=dict)
    locale: str | None = None
    country: str | None = None
    device_locale: str | None = None
    platform: str = "ios"

    def recipient(self) -> Recipient:
        person_id = None if self.attributes is None else 1
        return Recipient(
            0, 1, person_id, self.platform, self.device_locale, "Europe/Oslo", 1, "t", "alert", None
        )  # fmt: skip

    def person(self) -> Person | None:
        if self.attributes is None:
            return None
        return Person(1, "ada", self.attributes, self.locale, None, self.country, _NOW, _NOW)

    def facts(self, layout: Layout) -> dict[int, Facts]:
        if self.attributes is None:
            return {}
        named = [self.attributes.get(name, layout) for name in layout.names]
        texts = [None if value is layout else json.dumps(value) for value in named]
        whole = json.dumps(self.attributes) if layout.whole else None
        return {1: (1, whole, "ada", self.locale, None, self.country, *texts)}


Got = tuple[Any, ...] | Skipped


def fields_of(notification: Notification) -> Got:
    one = notification
    texts = (one.title, one.body, one.subtitle, one.image, one.sound, one.deep_link)
    rest = (list(one.data.items()), one.badge, one.extra, one.silent, one.blanks)
    return (*texts, *rest)


def written(book: Book, someone: Someone) -> Got:
    """What `someone` gets from a book."""
    (made,) = write_all(book, [someone.recipient()], someone.facts(book.layout))
    if isinstance(made, Skipped):
        return made
    notification, texts = made
    return fields_of(notification.filled(texts))


def rendered(content: Mapping[str, Any], someone: Someone) -> Got:
    """What `someone` gets when all is rendered for them alone."""
    try:
        values = variables(someone.recipient(), someone.person())
        platform = {"ipados": "ios"}.get(someone.platform, someone.platform)
        return fields_of(render_content(for_platform(content, platform), values))
    except SkipRecipient as wish:
        return Skipped(SuppressedReason.SKIPPED_BY_TEMPLATE.value, str(wish))
    except RenderError as error:
        return Skipped(SuppressedReason.RENDER_ERROR.value, str(error))
