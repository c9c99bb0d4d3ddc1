"""Prepares a window: who may still be sent to, what texts need of people, and the texts.

Two statements for a window, however many recipients it has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from campaigns.facts import LOCALE, TIME_ZONE, Facts, Layout
from campaigns.letter import Book
from core.database import driver_connection
from delivery.chunks.chunk import MessageFacts
from delivery.engine.ports import Recipient, Skipped
from delivery.push import Rendered
from segments.people.person import Person
from segments.people.repository import read_facts
from segments.reach.barred import find_barred

_PLATFORM_OF = {"ipados": "ios", "macos": "ios"}
_MOST_BOOKS = 16


@dataclass(frozen=True, slots=True)
class TemplatePreparer:
    """Implements delivery's `Preparer` with people's attributes and Jinja2 templates."""

    database: Engine
    _books: dict[int, Book] = field(default_factory=dict)

    def prepare(
        self, message: MessageFacts, recipients: Sequence[Recipient]
    ) -> Sequence[Rendered | Skipped]:
        """Return a notification or a reason for each recipient, in order."""
        book = self._book(message)
        people, barred = self._load(message.app_id, recipients, book.layout)
        made = write_all(book, recipients, people)
        if not barred:
            return made
        # Much can have been said since the audience was cut.
        return [
            Skipped(barred[one.person_id]) if one.person_id in barred else got
            for one, got in zip(recipients, made, strict=True)
        ]

    def _book(self, message: MessageFacts) -> Book:
        book = self._books.pop(message.id, None)
        if book is None or book.content != message.content:
            book = Book(message.content)
        while len(self._books) >= _MOST_BOOKS:
            del self._books[next(iter(self._books))]
        self._books[message.id] = book
        return book

    def _load(
        self, app_id: int, recipients: Sequence[Recipient], layout: Layout
    ) -> tuple[Mapping[int, Facts], Mapping[int | None, str]]:
        """Return the rows of `read_facts`, and why to send nothing; both by the ids of people."""
        ids = {recipient.person_id for recipient in recipients if recipient.person_id is not None}
        if not ids:
            return {}, {}
        listed = sorted(ids)
        with driver_connection(self.database) as connection:
            barred = find_barred(connection, app_id, listed)
            if not layout.person:
                return {}, barred
            found = read_facts(connection, app_id, listed, layout.names, whole=layout.whole)
        return {facts[0]: facts for facts in found}, barred


def write_all(
    book: Book, recipients: Sequence[Recipient], people: Mapping[int, Facts]
) -> list[Rendered | Skipped]:
    """Return what each recipient gets, in order; `people` are the rows of `read_facts` by id."""
    layout, nobody = book.layout, book.layout.nobody()
    letters = {
        platform: book.letter(_PLATFORM_OF.get(platform, platform))
        for platform in {recipient.platform for recipient in recipients}
    }
    if not (layout.person or layout.recipient):
        # The same for all: an encoder has it ready for them at once.
        alike = {platform: letter.write(nobody) for platform, letter in letters.items()}
        return [alike[recipient.platform] for recipient in recipients]
    found = []
    for one in recipients:
        facts = nobody if one.person_id is None else people.get(one.person_id, nobody)
        if layout.recipient:
            facts = with_device(facts, one)
        found.append(letters[one.platform].write(facts))
    return found


def with_device(facts: Facts, recipient: Recipient) -> Facts:
    """Return the facts of a person with those of the recipient behind them."""
    locale, time_zone = facts[LOCALE] or recipient.locale, facts[TIME_ZONE] or recipient.time_zone
    return (*facts, locale, time_zone, recipient.platform, recipient.locale)


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
