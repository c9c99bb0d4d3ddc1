"""Doing a POST once: its effect and its stored answer commit together."""

from collections.abc import Callable

from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer, Ready, encode_body
from api.calls import Call
from api.stored_answers import Once, Shelf, once_of
from core.errors import CarillonError

_NO_APP = 0


def run_once(call: Call, work: Callable[[Connection], Answer]) -> Response:
    """Run `work` in one transaction, commit it, and return its response.

    With an `Idempotency-Key` header the answer is stored (sealed) in the same transaction; a
    repetition gets it again with `Idempotent-Replay: true` and `work` does not run. `work` must
    change nothing but the database, and may run again when it collides with another transaction.
    With a client's key a header that could be guessed is ignored.
    What it raises rolls everything back, and is not stored. Act after the commit (nudges) on
    what `work` left in its closure: a replay then has left nothing.
    """
    once = once_of(call.principal, call.route, call.idempotency_key, call.body_hash)
    if once is None:
        return call.answer(work)
    return call.transact(lambda connection: _stored_or_new(connection, call, once, work))


def _stored_or_new(
    connection: Connection, call: Call, once: Once, work: Callable[[Connection], Answer]
) -> Response:
    app_id = call.principal.app.id if call.principal.app else _NO_APP
    shelf = Shelf(call.services.box, call.services.settings.idempotency_hours)
    (found,) = shelf.take(connection, app_id, [once])
    if isinstance(found, CarillonError):
        raise found
    if found is None:
        answer = work(connection)
        found = Ready(encode_body(answer), answer.status, answer.headers)
        shelf.keep(connection, app_id, [(once, found)])
    return found.to_response()
