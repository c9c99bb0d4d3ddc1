"""Provider credentials of an app: made, changed, resumed, retired. Secrets are stored sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from core.errors import (
    ConflictError,
    FieldError,
    InvalidPayloadError,
    NotFoundError,
    SettingsError,
)
from core.ids import new_public_id
from core.secrets import SecretBox
from core.settings import Settings
from delivery.credentials import repository, standing_repository
from delivery.credentials.repository import CredentialRow
from delivery.guard import repository as guard
from delivery.guard.rules import FLEET_GUARD

_TRUST_HOURS = 24


@dataclass(frozen=True, slots=True)
class CredentialPlan:
    """A checked credential that shall be stored; `secret` as in `delivery.credential`."""

    provider: str
    kind: str
    name: str
    secret: Mapping[str, Any] = field(repr=False)
    environment: str | None = None
    topic: str | None = None
    project_id: str | None = None
    quota_per_minute: int | None = None


def add(connection: Connection, box: SecretBox, app_id: int, plan: CredentialPlan) -> CredentialRow:
    """Store a credential."""
    values = {
        "public_id": new_public_id("cred"),
        "provider": plan.provider,
        "kind": plan.kind,
        "name": plan.name,
        "environment": plan.environment,
        "topic": plan.topic,
        "project_id": plan.project_id,
        "quota_per_minute": plan.quota_per_minute,
        "sealed": box.encrypt(orjson.dumps(dict(plan.secret))),
    }
    return repository.add(connection, app_id, values)


def refuse_production_in_staging(settings: Settings, environment: str | None) -> None:
    """Raise `InvalidPayloadError` for a production credential where only tests belong."""
    is_staging = settings.environment == "staging" and not settings.allow_production_in_staging
    if is_staging and environment == "production":
        wrong = FieldError(
            "/environment",
            "production_in_staging",
            "This installation is for staging; CARILLON_ALLOW_PRODUCTION_IN_STAGING lets it in.",
        )
        raise InvalidPayloadError(fields=(wrong,))


def get(connection: Connection, app_id: int, public_id: str) -> CredentialRow:
    """Return one credential; raise `NotFoundError`."""
    row = repository.find(connection, app_id, public_id)
    if row is None:
        raise NotFoundError
    return row


def change(
    connection: Connection, app_id: int, public_id: str, values: Mapping[str, Any]
) -> CredentialRow:
    """Set name or quota; raise `ConflictError` when it is retired."""
    row = _lock_living(connection, app_id, public_id)
    return repository.change(connection, app_id, row.id, values) if values else row


@dataclass(frozen=True, slots=True)
class Resumption:
    """Who lets a credential go on; `trusts` what the gateway says of tokens, for a day."""

    actor: str
    trusts: bool = False


def resume(connection: Connection, app_id: int, public_id: str, given: Resumption) -> CredentialRow:
    """Let a credential send again, and platforms of its project; an active one stays as it is.

    If the guard had paused it, nothing that was said of its tokens until now remains.
    """
    row = _lock_living(connection, app_id, public_id)
    values: dict[str, Any] = {}
    if row.held_platforms is not None:
        standing_repository.release(connection, app_id, row.id, given.actor)
        values |= {"holds": 0}
    if row.state == "paused":
        if row.reason == FLEET_GUARD:
            guard.restore(connection, row.id)
            guard.forget(connection, app_id, row.id)
        standing_repository.note_resumed(connection, app_id, row.id, given.actor)
        values |= {"state": "active", "reason": None, "reason_text": None, "probes": 0}
        values |= {"paused_at": None, "probe_at": None}
    if given.trusts:
        values["guard_rests_until"] = sa.func.now() + sa.text(f"interval '{_TRUST_HOURS} hours'")
    return repository.change(connection, app_id, row.id, values) if values else row


def retire(connection: Connection, app_id: int, public_id: str) -> None:
    """End a credential for ever; the row stays, for the messages that name it."""
    row = _lock_living(connection, app_id, public_id)
    repository.change(connection, app_id, row.id, {"state": "retired"})


def public_facts(box: SecretBox, row: CredentialRow) -> dict[str, str]:
    """Return what of a secret is no secret: the ids of an APNs token key.

    Nothing where it can not be opened: that must not hide the credential, nor why it is paused.
    """
    if row.kind != "token":
        return {}
    try:
        secret = orjson.loads(box.decrypt(row.sealed))
    except SettingsError:
        return {}
    return {"key_id": secret["key_id"], "team_id": secret["team_id"]}


def _lock_living(connection: Connection, app_id: int, public_id: str) -> CredentialRow:
    row = repository.find(connection, app_id, public_id, lock=True)
    if row is None:
        raise NotFoundError
    if row.state == "retired":
        raise ConflictError("The credential is retired. Add a new one.")
    return row
