"""An app with people who have devices, events and consents, and what of them is to be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from core.database import rows
from core.secrets import SecretBox
from delivery.apps.service import create_app_row
from segments.identity.names import hold_ids
from segments.people import service
from segments.people.person import PersonChange

_BOX = SecretBox([Fernet.generate_key().decode()])


@dataclass(frozen=True, slots=True)
class Town:
    """One app, seen through one connection."""

    connection: Connection
    app_id: int

    def put(self, name: str, **attributes: Any) -> None:
        """Write about a person."""
        service.write(self.connection, self.app_id, [PersonChange(name, attributes)])

    def tell(self, name: str, **fields: str | None) -> None:
        """Set the locale and the like of a person."""
        service.write(self.connection, self.app_id, [PersonChange(name, {}, fields)])

    def inner_id(self, name: str) -> int:
        """Return who a name leads to."""
        return hold_ids(self.connection, self.app_id, [name])[name]

    def event(self, name: str, what: str, at: str = "2026-11-20") -> None:
        """Let a person do something."""
        self.run(
            "INSERT INTO event (app_id, person_id, uuid, name, at) "
            "VALUES (:app_id, :person_id, :uuid, :what, :at) RETURNING id",
            person_id=self.inner_id(name),
            uuid=uuid4(),
            what=what,
            at=at,
        )

    def device(self, name: str | None, installation: str) -> int:
        """Give a person a device."""
        found = self.run(
            "INSERT INTO device (app_id, public_id, installation_id, person_id, platform) "
            "VALUES (:app_id, :public, :installation, :person_id, 'ios') RETURNING id",
            public=f"dev_{self.app_id}_{installation}",
            installation=installation,
            person_id=self.inner_id(name) if name else None,
        )
        return int(found[0].id)

    def consent(self, name: str, kind: str, at: str, *, granted: bool) -> None:
        """Let a person decide."""
        values = {"person_id": self.inner_id(name), "kind": kind, "granted": granted, "at": at}
        self.run(
            "INSERT INTO consent (app_id, person_id, kind, granted, source, at) "
            "VALUES (:app_id, :person_id, :kind, :granted, 'api', :at) "
            "ON CONFLICT (app_id, person_id, kind) DO UPDATE SET granted = excluded.granted, "
            "at = excluded.at RETURNING kind",
            **values,
        )
        self.run(
            "INSERT INTO consent_change (app_id, person_id, kind, granted, source, at) "
            "VALUES (:app_id, :person_id, :kind, :granted, 'api', :at) RETURNING id",
            **values,
        )

    def run(self, sql: str, **values: Any) -> Sequence[Any]:
        """Run a statement about this app."""
        return rows(self.connection, sql, app_id=self.app_id, **values)

    def picture(self) -> dict[str, Any]:
        """Return everything there is about people, without moments of writing."""
        listed = {
            "people": "SELECT id, external_id, attributes, locale, time_zone, country, created_at "
            "FROM person WHERE app_id = :app_id ORDER BY id",
            "names": "SELECT external_id, person_id, is_alias FROM person_name "
            "WHERE app_id = :app_id ORDER BY 1",
            "devices": "SELECT id, person_id FROM device WHERE app_id = :app_id ORDER BY 1",
            "events": "SELECT id, at, person_id, name FROM event WHERE app_id = :app_id ORDER BY 1",
            "consents": "SELECT person_id, kind, granted, source, at FROM consent "
            "WHERE app_id = :app_id ORDER BY 1, 2",
            "decisions": "SELECT id, person_id, kind, granted, at FROM consent_change "
            "WHERE app_id = :app_id ORDER BY 1",
            "successors": "SELECT person_id, into_id FROM person_successor "
            "WHERE app_id = :app_id ORDER BY 1",
            "counts": "SELECT name, kind, sum(people) FROM (SELECT name, kind, people "
            "FROM attribute_delta WHERE app_id = :app_id UNION ALL SELECT name, kind, people "
            "FROM attribute_count WHERE app_id = :app_id) AS c GROUP BY 1, 2 "
            "HAVING sum(people) <> 0 ORDER BY 1, 2",
        }
        return {what: [tuple(row) for row in self.run(sql)] for what, sql in listed.items()}


def found(connection: Connection) -> Town:
    """Return a new app."""
    return Town(connection, create_app_row(connection, _BOX, "Town").row.id)
