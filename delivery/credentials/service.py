"""Provider credentials of an app: made, changed, resumed, retired. Secrets are stored sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

from core.errors import ConflictError, FieldError, InvalidPayloadError, NotFoundError
from core.ids import new_public_id
from core.secrets import SecretBox
from core.settings import Settings
from delivery.credentials import repository
from delivery.credentials.repository import CredentialRow


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


def resume(connection: Connection, app_id: int, public_id: str) -> CredentialRow:
    """Let a paused credential send again; an active one stays as it is."""
    row = _lock_living(connection, app_id, public_id)
    if row.state == "active":
        return row
    values = {"state": "active", "reason": None, "reason_text": None}
    return repository.change(connection, app_id, row.id, values)


def retire(connection: Connection, app_id: int, public_id: str) -> None:
    """End a credential for ever; the row stays, for the messages that name it."""
    row = _lock_living(connection, app_id, public_id)
    repository.change(connection, app_id, row.id, {"state": "retired"})


def public_facts(box: SecretBox, row: CredentialRow) -> dict[str, str]:
    """Return what of a secret is no secret: the ids of an APNs token key."""
    if row.kind != "token":
        return {}
    secret = orjson.loads(box.decrypt(row.sealed))
    return {"key_id": secret["key_id"], "team_id": secret["team_id"]}


def _lock_living(connection: Connection, app_id: int, public_id: str) -> CredentialRow:
    row = repository.find(connection, app_id, public_id, lock=True)
    if row is None:
        raise NotFoundError
    if row.state == "retired":
        raise ConflictError("The credential is retired. Add a new one.")
    return row
