"""SQL of finding merges: by their id, by the names they joined, and those of one person."""

from collections.abc import Sequence

from sqlalchemy import Connection

from core.database import rows
from segments.identity.merge import Merge

_COLUMNS = ", ".join(Merge.__dataclass_fields__)


def find(
    connection: Connection, app_id: int, public_id: str, *, lock: bool = False
) -> Merge | None:
    """Return one merge."""
    found = rows(
        connection,
        f"""SELECT {_COLUMNS} FROM person_merge
            WHERE app_id = :app_id AND public_id = :public_id
            {"FOR UPDATE" if lock else ""}""",  # noqa: S608  All parts are ours.
        app_id=app_id,
        public_id=public_id,
    )
    return Merge(*found[0]) if found else None


def find_joined(
    connection: Connection, app_id: int, into_id: int, names: Sequence[str]
) -> Merge | None:
    """Return the newest merge that holds and by which one of these names came to a person."""
    found = rows(
        connection,
        f"""SELECT {_COLUMNS} FROM person_merge
            WHERE app_id = :app_id AND into_id = :into_id AND undone_at IS NULL
              AND names && CAST(:names AS text[])
            ORDER BY id DESC LIMIT 1""",  # noqa: S608  All parts are ours.
        app_id=app_id,
        into_id=into_id,
        names=list(names),
    )
    return Merge(*found[0]) if found else None


def has_later(connection: Connection, app_id: int, merge: Merge) -> bool:
    """Tell whether a later merge into the same person holds."""
    found = rows(
        connection,
        """SELECT EXISTS (SELECT FROM person_merge WHERE app_id = :app_id AND into_id = :into_id
                          AND id > :id AND undone_at IS NULL) AS later""",
        app_id=app_id,
        into_id=merge.into_id,
        id=merge.id,
    )
    return bool(found[0].later)


def list_of_person(
    connection: Connection, app_id: int, person_id: int, *, before: int | None, limit: int
) -> list[Merge]:
    """Return the merges into a person, newest first, before the one with the inner id `before`."""
    found = rows(
        connection,
        f"""SELECT {_COLUMNS} FROM person_merge
            WHERE app_id = :app_id AND into_id = :person_id
              AND id < coalesce(CAST(:before AS bigint), 9223372036854775807)
            ORDER BY id DESC LIMIT :limit""",  # noqa: S608  All parts are ours.
        app_id=app_id,
        person_id=person_id,
        before=before,
        limit=limit,
    )
    return [Merge(*row) for row in found]


def names_before(connection: Connection, app_id: int, ids: Sequence[int]) -> dict[int | None, str]:
    """Return what people were called who have been merged away, by their inner ids.

    The keys are typed as those of recipients are, some of whom have no person.
    """
    found = rows(
        connection,
        """SELECT DISTINCT ON (from_id) from_id, from_external_id FROM person_merge
           WHERE app_id = :app_id AND from_id = ANY(:ids) ORDER BY from_id, id DESC""",
        app_id=app_id,
        ids=list(ids),
    )
    return {row.from_id: row.from_external_id for row in found}


def end(connection: Connection, app_id: int, merge_id: int) -> None:
    """Mark a merge as undone, and forget what moved."""
    rows(
        connection,
        """UPDATE person_merge SET undone_at = clock_timestamp()
           WHERE app_id = :app_id AND id = :id RETURNING id""",
        app_id=app_id,
        id=merge_id,
    )
    rows(
        connection,
        """DELETE FROM person_merge_move WHERE app_id = :app_id AND merge_id = :id
           RETURNING merge_id""",
        app_id=app_id,
        id=merge_id,
    )


def is_over(connection: Connection, merge: Merge, hours: int) -> bool:
    """Tell by the database's clock whether the time to undo a merge has passed."""
    found = rows(connection, "SELECT clock_timestamp() AS now")
    return bool(found[0].now > merge.undo_until(hours))


def forget_moved(connection: Connection, hours: int) -> None:
    """Forget what merges moved that can not be undone any more; one hour is spared."""
    rows(
        connection,
        """DELETE FROM person_merge_move
           WHERE created_at < now() - make_interval(hours => :hours) RETURNING merge_id""",
        hours=hours + 1,
    )
