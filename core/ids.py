"""Opaque public ids. Inside, rows are known by bigint; outside, by these."""

import base64
import secrets
from hashlib import sha1
from uuid import UUID

# Fixed for ever: the same (message, device) must give the same id in every worker and release.
_DELIVERY_NAMESPACE = UUID("6f0d3c0a-3f0e-5f7e-9a53-0d5a6a1c7b21").bytes
# The digit that holds RFC 9562's variant: its upper two bits are 10.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_public_id(prefix: str) -> str:
    """Return a fresh id such as `msg_4k7d…`: the noun, then 128 random bits in base32."""
    text = base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()
    return f"{prefix}_{text}"


def delivery_id(message_public_id: str, device_id: int) -> str:
    """Return the id of one message at one device, equal at every attempt, so re-sends collapse.

    It is the text of the UUID of version 5 that `uuid.uuid5` makes of "message/device".
    """
    name = f"{message_public_id}/{device_id}".encode()
    text = sha1(_DELIVERY_NAMESPACE + name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
