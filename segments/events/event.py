"""An event: something a person did at a moment; and what becomes of one that is handed in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from segments.people.resolving import PersonRef

NAME_LIMIT = 100
PROPERTIES_LIMIT = 100
PROPERTY_NAME_LIMIT = 100
PROPERTIES_LIMIT_BYTES = 32_768
PROPERTIES_LIMIT_DEPTH = 5


class Fate(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    NO_CONSENT = "no_consent"
    TOO_MANY_NAMES = "too_many_names"
    UNSTORABLE = "unstorable"
    FOREIGN_PERSON = "foreign_person"


# Thousands are made each second, and freezing one takes longer than making it.
@dataclass(slots=True)
class NewEvent:
    """An event that was checked. `uuid` is in its usual form, `properties` is JSON text."""

    uuid: str
    person: PersonRef
    name: str
    at: datetime
    properties: str
