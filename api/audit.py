"""Who changed what: one row per change, in the transaction of the change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from api import repository
from api.principal import Principal


def record(
    connection: Connection,
    principal: Principal,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
) -> None:
    """Write that `principal` did `action` (`credential.created`) to `subject`, a public id.

    `detail` is kept for years and shown to staff: no secret, token or payload text belongs in it.
    """
    repository.add_audit(
        connection,
        {
            "app_id": principal.app.id if principal.app else None,
            "actor": principal.key_public_id,
            "action": action,
            "subject": subject,
            "detail": dict(detail),
        },
    )
