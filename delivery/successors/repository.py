"""SQL of merges as delivery sees them: devices change hands, and old ids stay understood."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from core.database import rows

# Chunks lock rows of devices in the order of their ids, too.
_MOVE_DEVICES = text("""
WITH owned AS (
    SELECT id FROM device WHERE app_id = :app_id AND person_id = :from_id
      AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY(:ids))
    ORDER BY id FOR UPDATE)
UPDATE device d SET person_id = :into_id, updated_at = now()
FROM owned o WHERE d.app_id = :app_id AND d.id = o.id RETURNING d.id
""")
_FOLLOW = text("""
UPDATE person_successor SET into_id = :into_id
WHERE app_id = :app_id AND into_id = :from_id RETURNING person_id
""")
_ADD = text("INSERT INTO person_successor VALUES (:app_id, :from_id, :into_id)")
_REMOVE = text("DELETE FROM person_successor WHERE app_id = :app_id AND person_id = :person_id")
_GIVE_BACK = text("""
UPDATE person_successor SET into_id = :into_id
WHERE app_id = :app_id AND person_id = ANY(:ids)
""")

# The ids a person has in chunks and in the ledger: its own, and those of people it has taken in.
IDS_OF_PERSON = """SELECT CAST(:person_id AS bigint) AS id
    UNION ALL
    SELECT person_id FROM person_successor
    WHERE app_id = :app_id AND into_id = CAST(:person_id AS bigint)"""


def move_devices(
    connection: Connection,
    app_id: int,
    from_id: int,
    into_id: int,
    *,
    only: Sequence[int] | None = None,
) -> list[int]:
    """Give the devices of a person, or `only` some of them, to another; return which moved."""
    values = {
        "app_id": app_id,
        "from_id": from_id,
        "into_id": into_id,
        "ids": None if only is None else list(only),
    }
    return sorted(connection.execute(_MOVE_DEVICES, values).scalars())


def succeed(connection: Connection, app_id: int, from_id: int, into_id: int) -> list[int]:
    """Let one person stand for another; return who stood behind that one and follows now."""
    values = {"app_id": app_id, "from_id": from_id, "into_id": into_id}
    followed = sorted(connection.execute(_FOLLOW, values).scalars())
    connection.execute(_ADD, values)
    return followed


def give_back(connection: Connection, app_id: int, person_id: int, followed: Sequence[int]) -> None:
    """Undo `succeed`: the person stands for itself again, and for those who followed."""
    connection.execute(_REMOVE, {"app_id": app_id, "person_id": person_id})
    values = {"app_id": app_id, "into_id": person_id, "ids": list(followed)}
    connection.execute(_GIVE_BACK, values)


def present_ids(connection: Connection, app_id: int, ids: Sequence[int]) -> dict[int, int]:
    """Return who stands today for each id of `ids` that is not a person any more."""
    found = rows(
        connection,
        """SELECT person_id, into_id FROM person_successor
           WHERE app_id = :app_id AND person_id = ANY(:ids)""",
        app_id=app_id,
        ids=list(ids),
    )
    return {row.person_id: row.into_id for row in found}
