"""What the device routes have in common: claims, people by name, and documents."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from api.calls import Call
from api.device_bodies import DeviceDocument
from api.device_documents import to_documents, unknown_person
from core.clock import utc_now
from core.errors import InvalidPayloadError
from core.settings import Settings
from delivery.apps.service import open_identity_secret
from delivery.devices.device import Device
from delivery.devices.errors import IdentityInvalidError, IdentityMissingError
from delivery.devices.identity import is_signed
from delivery.devices.service import Claim
from segments.identity.names import hold_ids

SECRET_HEADER = "Carillon-Device-Secret"  # noqa: S105  It is the name of a header.
_COLUMNS = frozenset(
    {
        "platform",
        "app_version",
        "os_version",
        "model",
        "locale",
        "time_zone",
        "permission",
        "last_seen_at",
    }
)


def claim_of(call: Call, secret: str | None) -> Claim:
    """Return what the caller shows: a client key alone is worth nothing."""
    return Claim(is_server=call.principal.holds("devices:write"), secret=secret)


def given_columns(body: BaseModel) -> dict[str, Any]:
    """Return the columns of a device that `body` gives."""
    given = body.model_dump(include=set(_COLUMNS), exclude_unset=True)
    if given.get("last_seen_at"):
        given["last_seen_at"] = given["last_seen_at"].isoformat()
    return given


def seen_now(claim: Claim, columns: dict[str, Any]) -> dict[str, Any]:
    """Return `columns`, in which a phone that speaks for itself is seen now."""
    if claim.is_server or "last_seen_at" in columns:
        return columns
    return {**columns, "last_seen_at": utc_now().isoformat()}


def find_person(connection: Connection, call: Call, external_id: str, signature: str | None) -> int:
    """Return the inner id of a person the caller may bind a device to.

    A server is believed. A client key needs the signature of the app's server.
    """
    if not call.principal.holds("devices:write"):
        _check_identity(connection, call, external_id, signature)
    found = hold_ids(connection, call.app.id, [external_id])
    if external_id not in found:
        raise InvalidPayloadError(fields=(unknown_person(),))
    return found[external_id]


def _check_identity(
    connection: Connection, call: Call, external_id: str, signature: str | None
) -> None:
    if signature is None:
        raise IdentityMissingError
    secret = open_identity_secret(connection, call.services.box, call.app.id)
    if not is_signed(secret, call.app.public_id, external_id, signature):
        raise IdentityInvalidError


def allows_production(settings: Settings) -> bool:
    """Tell whether production tokens may come in here."""
    return settings.environment != "staging" or settings.allow_production_in_staging


def to_document(connection: Connection, call: Call, device: Device) -> DeviceDocument:
    """Return a device as the outside sees it."""
    return to_documents(connection, call.app.id, [device])[0]
