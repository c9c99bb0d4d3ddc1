"""Payloads and documents of devices."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from api.batches import BATCH_LIMIT
from api.credential_bodies import Environment, Topic
from api.fields import Document, ExternalId, Moment, Payload
from api.places import Locale, TimeZone
from delivery.devices.device import TOKEN_LIMIT
from delivery.devices.target_plan import TargetClaim

REGISTRATION: dict[str, Any] = {
    "installation_id": "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10",
    "provider": "apns",
    "kind": "alert",
    "token": "9f" * 32,
    "platform": "ios",
    "environment": "production",
    "app_version": "4.2.0",
    "os_version": "19.1",
    "model": "iPhone17,1",
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "permission": "granted",
}
EXAMPLE: dict[str, Any] = {
    "id": "dev_mfrggzdfmztwq2lknnwg23tpoa",
    "installation_id": "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10",
    "person": "customer-1815",
    "platform": "ios",
    "app_version": "4.2.0",
    "os_version": "19.1",
    "model": "iPhone17,1",
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "permission": "granted",
    "last_seen_at": "2026-03-01T12:00:00Z",
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "targets": [
        {
            "provider": "apns",
            "kind": "alert",
            "environment": "production",
            "topic": None,
            "state": "active",
            "state_reason": None,
            "registered_at": "2026-03-01T12:00:00Z",
        }
    ],
}
CREATED = {**EXAMPLE, "secret": "ds_2bFzq0y0m1VJ3o5hT9wUu8xK4rN6sPdQeWcYaLgHiJk"}
_SIGNATURE = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

Platform = Literal["ios", "ipados", "macos", "tvos", "watchos", "visionos", "android", "web"]
Permission = Literal["granted", "provisional", "ephemeral", "denied", "not_determined", "unknown"]
Provider = Literal["apns", "fcm"]
_Token = Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_LIMIT)]
_InstallationId = Annotated[
    str, StringConstraints(min_length=8, max_length=255, pattern=r"^[A-Za-z0-9._{}=+/-]+$")
]
_Words = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Signature = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$"),
    Field(description="Hex HMAC-SHA256 of `<app id>:<person>` under the app's identity secret."),
]


class _Details(Payload):
    kind: Annotated[str, StringConstraints(max_length=30)] | None = None
    token: _Token | None = None
    fid: _Token | None = None
    environment: Environment | None = None
    topic: Topic | None = None
    app_version: _Words | None = None
    os_version: _Words | None = None
    model: _Words | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    last_seen_at: Moment | None = None


class DevicePayload(_Details):
    """An installation and its token: of APNs in hex, of FCM a token or a fid."""

    installation_id: _InstallationId
    provider: Provider
    platform: Platform
    permission: Permission = "unknown"
    person: ExternalId | None = None
    signature: _Signature | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [REGISTRATION]})

    def to_claim(self) -> TargetClaim:
        """Return what this says about a token."""
        return _claim(self, self.provider)


class DevicePatch(_Details):
    """What has changed: fields that are absent stay, null clears. A token needs its provider."""

    provider: Provider | None = None
    platform: Platform | None = None
    permission: Permission | None = None

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"permission": "denied", "app_version": "4.2.1"}]}
    )

    def to_claim(self) -> TargetClaim | None:
        """Return what this says about a token, None when it says nothing."""
        return _claim(self, self.provider) if self.provider else None


def _claim(body: _Details, provider: str) -> TargetClaim:
    return TargetClaim(provider, body.kind, body.token, body.fid, body.environment, body.topic)


class DevicesPayload(Payload):
    """Up to 1,000 devices."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"devices": [REGISTRATION]}]})

    devices: Annotated[
        list[Any],
        Field(min_length=1, max_length=BATCH_LIMIT),
        WithJsonSchema(
            {
                "type": "array",
                "minItems": 1,
                "maxItems": BATCH_LIMIT,
                "items": DevicePayload.model_json_schema(),
            }
        ),
    ]


class BindPayload(Payload):
    """Whose device it is. A client key needs the signature, a server key does not."""

    person: ExternalId
    signature: _Signature | None = None

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"person": "customer-1815", "signature": _SIGNATURE}]}
    )


class TargetDocument(Document):
    """Where pushes for a device go. The token itself is never shown."""

    provider: str
    kind: str
    environment: str | None
    topic: str | None
    state: str
    state_reason: str | None
    registered_at: datetime


class DeviceDocument(Document):
    """A device. `person` is the external id of its person, null when it is anonymous."""

    id: str
    installation_id: str
    person: str | None
    platform: str
    app_version: str | None
    os_version: str | None
    model: str | None
    locale: str | None
    time_zone: str | None
    permission: str
    last_seen_at: datetime | None
    created_at: datetime
    updated_at: datetime
    targets: list[TargetDocument]


class CreatedDevice(DeviceDocument):
    """A device with its secret, which is shown this once."""

    secret: str
