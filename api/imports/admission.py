"""Whether an upload may come in: not too large, and not too many of one app that wait."""

from sqlalchemy import Connection
from starlette.requests import Request

from api.errors import BadRequestError, BodyTooLargeError, TooManyWaitingError
from api.imports import repository
from core.settings import Settings

# What a form says around its file.
_FORM_BYTES = 65_536


def declared_size(request: Request, limit: int) -> int:
    """Return what `Content-Length` says, 0 when it is absent; nothing of the body is read.

    Raises `BadRequestError`, and `BodyTooLargeError` above `limit`.
    """
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError("The Content-Length header is not a number.")
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/")
    if len(length) > 18 or int(length) > limit + _FORM_BYTES * is_form:
        raise BodyTooLargeError(f"A file to import may have {limit} bytes.")
    return int(length)


def check_room(connection: Connection, settings: Settings, app_id: int, size: int) -> None:
    """Raise `TooManyWaitingError` when an app has no room for one more upload of `size` bytes.

    Until the transaction ends, no other upload of the app is let in.
    """
    waiting = repository.lock_waiting(connection, app_id)
    if waiting.count >= settings.import_max_waiting:
        raise TooManyWaitingError(
            f"{waiting.count} imports of this app wait already, as many as may. Upload it again "
            "when some have ended."
        )
    limit = settings.import_max_waiting_bytes
    if waiting.bytes and waiting.bytes + size > limit:
        raise TooManyWaitingError(
            f"The imports of this app that wait have {waiting.bytes} bytes together, of {limit} "
            "that may. Upload it again when some have ended."
        )
