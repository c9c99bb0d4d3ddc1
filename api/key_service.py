"""Making and rotating keys; a secret exists in clear only in the answer that shows it once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from api import repository
from api.repository import KeyRow, NewKey
from core.errors import ConflictError
from core.ids import new_public_id
from core.secrets import hash_secret, new_secret

PREFIXES = {"admin": "ca", "server": "ck_live", "client": "cc"}
_HINT_LENGTH = 12


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What a new key shall be; without an app it is an operator's."""

    app_id: int | None
    kind: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key just made, with its secret."""

    row: KeyRow
    secret: str = field(repr=False)


def create_key(connection: Connection, plan: KeyPlan) -> MadeKey:
    """Make a key with a fresh secret."""
    secret = new_secret(PREFIXES[plan.kind])
    row = repository.add_key(
        connection,
        NewKey(
            app_id=plan.app_id,
            public_id=new_public_id("key"),
            kind=plan.kind,
            name=plan.name,
            scopes=list(plan.scopes),
            secret_hash=hash_secret(secret),
            hint=secret[:_HINT_LENGTH],
            expires_at=plan.expires_at,
        ),
    )
    return MadeKey(row, secret)


def rotate_key(connection: Connection, old: KeyRow, overlap_seconds: int) -> MadeKey:
    """Make the one successor of `old`, which lives for `overlap_seconds` more.

    Raises `ConflictError` when it has one: of two, one would be a secret that nobody keeps.
    """
    plan = KeyPlan(old.app_id, old.kind, old.name, old.scopes, old.expires_at)
    if not repository.expire_rotated(connection, old.id, overlap_seconds):
        raise ConflictError("The key was rotated already. Use or rotate its successor.")
    return create_key(connection, plan)
