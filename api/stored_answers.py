"""Answers that are stored under idempotency keys, one or many at once. Knows no route."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from api import repository
from api.answers import Ready
from api.errors import (
    IdempotencyKeyInUseError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyReusedError,
)
from api.principal import Principal
from api.repository import StoredAnswer
from core.errors import CarillonError
from core.secrets import SecretBox

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
# Nobody guesses that many characters, if they are random.
_SECRET_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Once:
    """Under what the answer to a request is stored, and to which body it belongs."""

    key_hash: bytes
    body_hash: bytes

    @property
    def lock(self) -> int:
        """The number of the advisory lock that one request at a time holds."""
        return int.from_bytes(hashlib.sha256(self.key_hash).digest()[:8], signed=True)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where answers of an app are kept, sealed, for some hours."""

    box: SecretBox
    hours: int

    def take(
        self, connection: Connection, app_id: int, wishes: Sequence[Once | None]
    ) -> list[Ready | CarillonError | None]:
        """Return for each wish the answer given before, why there is none, or None: it is new.

        New ones are locked until the transaction ends. Of several alike the first is new.
        """
        listed = list(dict.fromkeys(one for one in wishes if one is not None))
        if not listed:
            return [None] * len(wishes)
        ours = repository.try_locks(connection, sorted({one.lock for one in listed}))
        # A statement of its own: it sees what those have stored who held the locks before.
        keys = [one.key_hash for one in listed]
        stored = repository.find_answers(connection, app_id, keys, self.hours)
        begun: set[bytes] = set()
        results: list[Ready | CarillonError | None] = []
        for one in wishes:
            if one is None:
                results.append(None)
            elif one.lock not in ours or one.key_hash in begun:
                results.append(IdempotencyKeyInUseError())
            elif one.key_hash in stored:
                results.append(self._open(one, stored[one.key_hash]))
            else:
                begun.add(one.key_hash)
                results.append(None)
        return results

    def keep(
        self, connection: Connection, app_id: int, answers: Sequence[tuple[Once, Ready]]
    ) -> None:
        """Store the answers to what was new."""
        if answers:
            sealed = {
                one.key_hash: StoredAnswer(one.body_hash, ready.status, self._seal(ready))
                for one, ready in answers
            }
            repository.store_answers(connection, app_id, sealed)

    def _seal(self, ready: Ready) -> bytes:
        return self.box.encrypt(orjson.dumps([dict(ready.headers), ready.body.decode()]))

    def _open(self, once: Once, stored: StoredAnswer) -> Ready | CarillonError:
        if stored.body_hash != once.body_hash:
            return IdempotencyKeyReusedError()
        try:
            opened = self.box.decrypt(stored.answer)
        except CarillonError as error:
            # Its key was taken out of use too early: nobody else in the group is to blame for that.
            return error
        headers, body = orjson.loads(opened)
        return Ready(body.encode(), stored.status, {**headers, "Idempotent-Replay": "true"})


def once_of(principal: Principal, route: str, key: str | None, body_hash: bytes) -> Once | None:
    """Return what the header asks for; None without one, and for one that could be guessed.

    Strangers share a client's key, as all phones do. Among them only an idempotency key that
    nobody guesses shows whose answer it is, and the answer may hold a device's secret.
    Raises `IdempotencyKeyInvalidError`.
    """
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalidError
    is_public = principal.kind == "client"
    if is_public and len(key) < _SECRET_LENGTH:
        return None
    digest = hashlib.sha256(f"{principal.key_id}\n{route}\n{key}".encode())
    if is_public:
        digest.update(body_hash)
    return Once(digest.digest(), body_hash)
