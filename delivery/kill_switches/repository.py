"""Every statement about kill switches. A row is a switch that is on; takes effect at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from core.database import rows


@dataclass(frozen=True, slots=True)
class Level:
    """What a switch stops: one credential, without it an app, without both everybody."""

    app_id: int | None = None
    credential_id: int | None = None

    @property
    def name(self) -> str:
        """The level's name at the doors."""
        if self.app_id is None:
            return "installation"
        return "app" if self.credential_id is None else "credential"


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch that is on: why, who set it (the public id of a key), and since when."""

    level: Level
    reason: str
    set_by: str
    set_at: datetime


def stopping(connection: Connection, level: Level) -> Sequence[Switch]:
    """Return the switches that stop what `level` names, the widest first."""
    found = rows(
        connection,
        """
        SELECT app_id, credential_id, reason, set_by, set_at FROM kill_switch
        WHERE (app_id IS NULL OR app_id = CAST(:app_id AS bigint))
          AND (credential_id IS NULL OR credential_id = CAST(:credential_id AS bigint))
        ORDER BY app_id NULLS FIRST, credential_id NULLS FIRST
        """,
        **_values(level),
    )
    return [_switch(row) for row in found]


def lock(connection: Connection, level: Level) -> Switch | None:
    """Return the switch of exactly this level; no switch changes until the transaction ends.

    A row to lock may not exist yet. Readers of the table, as workers are, wait for nobody.
    """
    connection.execute(text("LOCK TABLE kill_switch IN SHARE ROW EXCLUSIVE MODE"))
    return next((one for one in stopping(connection, level) if one.level == level), None)


def set_on(connection: Connection, level: Level, reason: str, set_by: str) -> None:
    """Set a switch, or give one that is on another reason; since when it is on stays."""
    statement = text(
        """
        INSERT INTO kill_switch (app_id, credential_id, reason, set_by)
        VALUES (:app_id, :credential_id, :reason, :set_by)
        ON CONFLICT (app_id, credential_id)
            DO UPDATE SET reason = excluded.reason, set_by = excluded.set_by
        """
    )
    values = {**_values(level), "reason": reason, "set_by": set_by}
    connection.execute(statement, values)


def set_off(connection: Connection, level: Level) -> None:
    """Lift a switch."""
    statement = text(
        """
        DELETE FROM kill_switch WHERE app_id IS NOT DISTINCT FROM CAST(:app_id AS bigint)
            AND credential_id IS NOT DISTINCT FROM CAST(:credential_id AS bigint)
        """
    )
    connection.execute(statement, _values(level))


def _values(level: Level) -> dict[str, int | None]:
    return {"app_id": level.app_id, "credential_id": level.credential_id}


def _switch(row: Row[Any]) -> Switch:
    return Switch(Level(row.app_id, row.credential_id), row.reason, row.set_by, row.set_at)
