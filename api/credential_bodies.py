"""Payloads and documents of provider credentials."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from api.fields import WHOLE, Document, Name, Page, Payload, describe_without_null
from core.secrets import SecretBox
from delivery.credentials import service
from delivery.credentials.repository import CredentialRow

EXAMPLE: dict[str, Any] = {
    "id": "cred_mfrggzdfmztwq2lknnwg23tpoa",
    "provider": "apns",
    "kind": "token",
    "name": "APNs key",
    "environment": "production",
    "topic": "com.example.shop",
    "project_id": None,
    "key_id": "ABC123DEFG",
    "team_id": "DEF123GHIJ",
    "state": "active",
    "reason": None,
    "reason_text": None,
    "paused_at": None,
    "probe_at": None,
    "held_platforms": None,
    "hold_text": None,
    "held_until": None,
    "frozen_until": None,
    "guard_rests_until": None,
    "quota_per_minute": None,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
}
_ACCOUNT = {
    "kind": "service_account",
    "name": "Firebase project",
    "service_account": {
        "type": "service_account",
        "project_id": "corner-shop",
        "private_key_id": "0123456789abcdef",
        "private_key": "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n",
        "client_email": "push@corner-shop.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    },
}
_TOKEN = {
    "kind": "token",
    "name": "APNs key",
    "p8": "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n",
    "key_id": "ABC123DEFG",
    "team_id": "DEF123GHIJ",
    "topic": "com.example.shop",
    "environment": "production",
}
EXAMPLES: dict[str, Any] = {
    "fcm": {"summary": "FCM: a service account", "value": _ACCOUNT},
    "apns_token": {"summary": "APNs: a signing key (.p8)", "value": _TOKEN},
    "apns_certificate": {
        "summary": "APNs: a certificate (PKCS#12)",
        "value": {"kind": "certificate", "name": "Push cert", "p12": "MIIK…", "password": "…"},
    },
}

Environment = Literal["production", "development"]
# https://developer.apple.com/documentation/bundleresources/information-property-list/cfbundleidentifier
Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,255}$")]
_AppleId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}$")]
_Quota = Annotated[int, Field(ge=1, le=60_000_000, description="Pushes per minute at most."), WHOLE]


class _Common(Payload):
    name: Name
    quota_per_minute: _Quota | None = None


class ServiceAccountPayload(_Common):
    """FCM: the JSON file of a Google service account."""

    kind: Literal["service_account"]
    service_account: Annotated[dict[str, Any], Field(max_length=50)]


class TokenPayload(_Common):
    """APNs: a .p8 signing key."""

    kind: Literal["token"]
    p8: Annotated[SecretStr, Field(max_length=5_000)]
    key_id: _AppleId
    team_id: _AppleId
    topic: Topic
    environment: Environment


class CertificatePayload(_Common):
    """APNs: a PKCS#12 file in base64. Topic and environment are read from it unless given."""

    kind: Literal["certificate"]
    p12: Annotated[SecretStr, Field(max_length=30_000)]
    password: Annotated[SecretStr, Field(max_length=500)] = SecretStr("")
    topic: Topic | None = None
    environment: Environment | None = None


NewCredential = Annotated[
    ServiceAccountPayload | TokenPayload | CertificatePayload, Field(discriminator="kind")
]


def _describe_patch(schema: dict[str, Any]) -> None:
    describe_without_null(schema, "name")
    schema["examples"] = [{"quota_per_minute": 300_000}]


class CredentialPatch(Payload):
    """What can change; only the fields that are present do."""

    name: Name | None = None
    quota_per_minute: _Quota | None = None

    model_config = ConfigDict(json_schema_extra=_describe_patch)


class CredentialDocument(Document):
    """A credential without its secret.

    A paused one says why in `reason_text`, and when it is tried again in `probe_at`: null if only
    you can resume it. Of an FCM project `held_platforms` wait for the reason in `hold_text`.
    """

    id: str
    provider: str
    kind: str
    name: str
    environment: str | None
    topic: str | None
    project_id: str | None
    key_id: str | None = None
    team_id: str | None = None
    state: str
    reason: str | None
    reason_text: str | None
    paused_at: datetime | None
    probe_at: datetime | None
    held_platforms: list[str] | None
    hold_text: str | None
    held_until: datetime | None
    frozen_until: datetime | None
    guard_rests_until: datetime | None
    quota_per_minute: int | None
    created_at: datetime
    updated_at: datetime


class CredentialPage(Page):
    """Credentials that are not retired."""

    data: list[CredentialDocument]


def to_document(box: SecretBox, row: CredentialRow) -> CredentialDocument:
    """Return a credential as everybody who may see it sees it."""
    values: dict[str, Any] = {
        name: getattr(row, name, None) for name in CredentialDocument.model_fields
    }
    values |= service.public_facts(box, row)
    return CredentialDocument(**{**values, "id": row.public_id})
