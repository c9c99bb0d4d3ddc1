"""A device is an installation of an app, with one or more targets; values and token rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

TOKEN_LIMIT = 4_096
FID = re.compile(r"[cdef][A-Za-z0-9_-]{21}")
_FCM_TOKEN = re.compile(rf"[A-Za-z0-9_:.-]{{1,{TOKEN_LIMIT}}}")
# Apple promises no length; https://developer.apple.com/documentation/usernotifications
_APNS_TOKEN = re.compile(r"(?:[0-9a-f]{2}){32,200}")

KINDS: Mapping[str, tuple[str, ...]] = {
    "apns": ("alert", "voip", "live_activity"),
    "fcm": ("token", "fid"),
}


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """Where pushes for a device shall go."""

    provider: str
    kind: str
    token: str = field(repr=False)
    environment: str | None = None
    topic: str | None = None

    @property
    def token_hash(self) -> bytes:
        """Return what the token is found by."""
        return hash_token(self.token)


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known about one installation.

    `fields` holds the columns that were given; others stay, or take their defaults. Among them
    `person_id`: None unbinds. A new device gets `secret_hash`.
    """

    installation_id: str
    fields: Mapping[str, Any]
    target: TargetPlan | None = None
    secret_hash: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as stored."""

    id: int
    public_id: str
    installation_id: str
    person_id: int | None
    platform: str
    app_version: str | None
    os_version: str | None
    model: str | None
    locale: str | None
    time_zone: str | None
    permission: str
    last_seen_at: datetime | None
    secret_hash: bytes | None = field(repr=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """A target of a device, without its token."""

    provider: str
    kind: str
    environment: str | None
    topic: str | None
    state: str
    state_reason: str | None
    registered_at: datetime


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token."""
    return sha256(token.encode()).digest()


def clean_token(provider: str, kind: str, token: str) -> str | None:
    """Return a token as it is stored, or None when it can not be one.

    APNs tokens are bytes written in hex: upper case is the same token, so it is stored in lower
    case. FCM tokens are texts and stay as they are.
    """
    if provider == "apns":
        lowered = token.lower()
        return lowered if _APNS_TOKEN.fullmatch(lowered) else None
    pattern = FID if kind == "fid" else _FCM_TOKEN
    return token if pattern.fullmatch(token) else None


def guess_target(token: str) -> TargetPlan | None:
    """Return what a raw token must be: APNs if it is hex, else an FID or an FCM token."""
    apns = clean_token("apns", "alert", token)
    if apns is not None:
        return TargetPlan("apns", "alert", apns)
    kind = "fid" if FID.fullmatch(token) else "token"
    fcm = clean_token("fcm", kind, token)
    return TargetPlan("fcm", kind, fcm) if fcm is not None else None
