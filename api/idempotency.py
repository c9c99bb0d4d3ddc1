"""Doing a POST once: its effect and its stored answer commit together."""

import hashlib
import re
from collections.abc import Callable

import orjson
from sqlalchemy import Connection
from starlette.responses import Response

from api import repository
from api.answers import Answer, encode_body, json_response
from api.calls import Call
from api.errors import (
    IdempotencyKeyInUseError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyReusedError,
)

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_NO_APP = 0
# Nobody guesses that many characters, if they are random.
_SECRET_LENGTH = 32


def run_once(call: Call, work: Callable[[Connection], Answer]) -> Response:
    """Run `work` in one transaction, commit it, and return its response.

    With an `Idempotency-Key` header the answer is stored (sealed) in the same transaction; a
    repetition gets it again with `Idempotent-Replay: true` and `work` does not run. `work` must
    change nothing but the database, and may run again when it collides with another transaction.
    With a client's key a header that could be guessed is ignored.
    What it raises rolls everything back, and is not stored. Act after the commit (nudges) on
    what `work` left in its closure: a replay then has left nothing.
    """
    key = call.idempotency_key
    if key is None:
        return call.answer(work)
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalidError
    if _is_public(call) and len(key) < _SECRET_LENGTH:
        return call.answer(work)
    return call.transact(lambda connection: _stored_or_new(connection, call, key, work))


def _stored_or_new(
    connection: Connection, call: Call, key: str, work: Callable[[Connection], Answer]
) -> Response:
    app_id = call.principal.app.id if call.principal.app else _NO_APP
    key_hash = _hash_key(call, key)
    lock = int.from_bytes(hashlib.sha256(key_hash).digest()[:8], signed=True)
    if not repository.try_lock(connection, lock):
        raise IdempotencyKeyInUseError
    hours = call.services.settings.idempotency_hours
    stored = repository.find_answer(connection, app_id, key_hash, hours)
    if stored is not None:
        return _replay(call, stored)
    answer = work(connection)
    body = encode_body(answer)
    sealed = call.services.box.encrypt(orjson.dumps([dict(answer.headers), body.decode()]))
    repository.store_answer(
        connection,
        app_id,
        key_hash,
        repository.StoredAnswer(call.body_hash, answer.status, sealed),
    )
    return json_response(body, answer.status, answer.headers)


def _is_public(call: Call) -> bool:
    """Tell whether strangers share the API key, as all phones do.

    Among them only an idempotency key that nobody guesses shows whose answer it is, and the
    answer may hold a device's secret.
    """
    return call.principal.kind == "client"


def _hash_key(call: Call, key: str) -> bytes:
    digest = hashlib.sha256(f"{call.principal.key_id}\n{call.route}\n{key}".encode())
    if _is_public(call):
        digest.update(call.body_hash)
    return digest.digest()


def _replay(call: Call, stored: repository.StoredAnswer) -> Response:
    if stored.body_hash != call.body_hash:
        raise IdempotencyKeyReusedError
    headers, body = orjson.loads(call.services.box.decrypt(stored.answer))
    return json_response(body.encode(), stored.status, {**headers, "Idempotent-Replay": "true"})
