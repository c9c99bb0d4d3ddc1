"""Prepares a window: one query for its people, then every text rendered for each recipient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from campaigns.content import for_platform, render_content
from campaigns.template import RenderError, SkipRecipient
from delivery.chunks.chunk import MessageFacts
from delivery.engine.ports import Recipient, Skipped
from delivery.push import Rendered
from delivery.states import SuppressedReason
from segments.people.person import Person
from segments.people.repository import find_by_ids

_PLATFORM_OF = {"ios": "ios", "ipados": "ios", "macos": "ios", "android": "android", "web": "web"}


@dataclass(frozen=True, slots=True)
class TemplatePreparer:
    """Implements delivery's `Preparer` with people's attributes and Jinja2 templates."""

    database: Engine

    def prepare(
        self, message: MessageFacts, recipients: Sequence[Recipient]
    ) -> Sequence[Rendered | Skipped]:
        """Return a notification or a reason for each recipient, in order."""
        people = self._load(message.app_id, recipients)
        contents = {
            platform: for_platform(message.content, _PLATFORM_OF.get(platform, platform))
            for platform in {recipient.platform for recipient in recipients}
        }
        return [
            _prepare_one(contents[recipient.platform], recipient, people.get(recipient.person_id))
            for recipient in recipients
        ]

    def _load(self, app_id: int, recipients: Sequence[Recipient]) -> Mapping[int | None, Person]:
        ids = {recipient.person_id for recipient in recipients if recipient.person_id is not None}
        if not ids:
            return {}
        with self.database.connect() as connection:
            return {person.id: person for person in find_by_ids(connection, app_id, sorted(ids))}


def _prepare_one(
    content: Mapping[str, Any], recipient: Recipient, person: Person | None
) -> Rendered | Skipped:
    try:
        return render_content(content, variables(recipient, person)), ()
    except SkipRecipient as wish:
        return Skipped(SuppressedReason.SKIPPED_BY_TEMPLATE.value, str(wish))
    except RenderError as error:
        return Skipped(SuppressedReason.RENDER_ERROR.value, str(error))


def variables(recipient: Recipient, person: Person | None) -> dict[str, Any]:
    """Return what templates see: each attribute by its name, `person` and `device`."""
    attributes = dict(person.attributes) if person else {}
    about = {
        "external_id": person.external_id if person else None,
        "locale": (person.locale if person else None) or recipient.locale,
        "time_zone": (person.time_zone if person else None) or recipient.time_zone,
        "country": person.country if person else None,
    }
    device = {"platform": recipient.platform, "locale": recipient.locale}
    return {**attributes, "person": {**attributes, **about}, "device": device}
