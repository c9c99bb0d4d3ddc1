"""Which app a command works in: the named one, or the only one."""

from sqlalchemy import Connection

from api import repository
from core.errors import NotFoundError, SettingsError
from delivery.apps import repository as apps


def choose_app(connection: Connection, public_id: str | None) -> int:
    """Return the inner id of the app; raise when there is none, or none is named of several."""
    if public_id is not None:
        # What is typed in another encoding than UTF-8 can not even be asked for.
        found = repository.find_app(connection, public_id) if public_id.isascii() else None
        if found is None:
            raise NotFoundError(f"There is no app {public_id!r}.")
        return found
    known = apps.list_after(connection, 0, 2)
    if not known:
        raise NotFoundError("There is no app yet. Make one: ./carillon app create NAME.")
    if len(known) > 1:
        raise SettingsError("There are several apps. Name one: --app APP_ID.")
    return known[0].id
