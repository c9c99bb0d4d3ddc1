"""A person of an app, and what a caller wants to change about one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ATTRIBUTES_LIMIT_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class Person:
    """A person as stored."""

    id: int
    external_id: str
    attributes: Mapping[str, Any]
    locale: str | None
    time_zone: str | None
    country: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What is to be set: `fields` holds those of locale, time_zone and country that were given.

    An attribute that is None is removed; one that is absent stays. So do consents.
    """

    external_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, str | None] = field(default_factory=dict)
    consents: Mapping[str, bool] = field(default_factory=dict)

    def then(self, later: "PersonChange") -> "PersonChange":
        """Return the one change that does both, `later` last."""
        return PersonChange(
            self.external_id,
            {**self.attributes, **later.attributes},
            {**self.fields, **later.fields},
            {**self.consents, **later.consents},
        )
