"""Opaque public ids. Inside, rows are known by bigint; outside, by these."""

import base64
import secrets
import uuid

# Fixed for ever: the same (message, device) must give the same id in every worker and release.
_DELIVERY_NAMESPACE = uuid.UUID("6f0d3c0a-3f0e-5f7e-9a53-0d5a6a1c7b21")


def new_public_id(prefix: str) -> str:
    """Return a fresh id such as `msg_4k7d…`: the noun, then 128 random bits in base32."""
    text = base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()
    return f"{prefix}_{text}"


def delivery_id(message_public_id: str, device_id: int) -> uuid.UUID:
    """Return the id of one message at one device, equal at every attempt, so re-sends collapse."""
    return uuid.uuid5(_DELIVERY_NAMESPACE, f"{message_public_id}/{device_id}")
