"""Opaque public ids. Inside, rows are known by bigint; outside, by these."""

import base64
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

_NUMBER_BITS = 62
_MASK = (1 << _NUMBER_BITS) - 1
_HALF = _NUMBER_BITS // 2
# Set in the number of a recipient who has no device: it then is a person's.
_PERSON = 1 << (_NUMBER_BITS - 1)
_VARIANT = 1 << 63  # RFC 9562's, of which the upper two bits are 10
_TAG_DIGITS = 15
# Fixed for ever: the same (message, device) must give the same id in every worker and release.
_SPICE = b"carillon/delivery/"
_DELIVERY = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})"
)


def new_public_id(prefix: str) -> str:
    """Return a fresh id such as `msg_4k7d…`: the noun, then 128 random bits in base32."""
    text = base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()
    return f"{prefix}_{text}"


@dataclass(frozen=True, slots=True)
class RecipientNumber:
    """Who a delivery is for: a device, or a person who has none."""

    device_id: int | None = None
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Cipher:
    """How the numbers of one message's recipients are hidden, and the start of all its ids."""

    start: str
    xor: int
    first: int
    second: int


def delivery_id(message_public_id: str, device_id: int) -> str:
    """Return the id of one message at one device, equal at every attempt, so re-sends collapse.

    It is the text of a UUID of version 8. Whoever knows the message finds the device in it again
    (`recipient_of`), and the message is found by the tag (`delivery_tag`), so no index is needed
    that has an entry for every push. Others read nothing in it: the key is the message's id.
    """
    return _text(_cipher(message_public_id), device_id & (_PERSON - 1))


def person_delivery_id(message_public_id: str, person_id: int) -> str:
    """Return the id of a message for a person who had no device; it never leaves the API."""
    return _text(_cipher(message_public_id), person_id & (_PERSON - 1) | _PERSON)


def message_tag(message_public_id: str) -> str:
    """Return the tag that the ids of all deliveries of a message share.

    PostgreSQL computes it, too: the index `message_delivery_idx` is on it.
    """
    return sha256(message_public_id.encode()).hexdigest()[:_TAG_DIGITS]


def delivery_tag(text: str) -> str | None:
    """Return the tag of the message in the id of a delivery; None when it is no such id."""
    found = _DELIVERY.fullmatch(text.lower())
    return found[1] + found[2] + found[3] if found else None


def recipient_of(text: str, message_public_id: str) -> RecipientNumber | None:
    """Return who the delivery `text` of this message is for; None when it is not of it."""
    found = _DELIVERY.fullmatch(text.lower())
    if found is None or found[1] + found[2] + found[3] != message_tag(message_public_id):
        return None
    cipher = _cipher(message_public_id)
    number = int(found[4] + found[5], 16) & _MASK
    number = _unmultiply(number, cipher.second)
    number = _unmultiply(number, cipher.first) ^ cipher.xor
    if number & _PERSON:
        return RecipientNumber(person_id=number ^ _PERSON)
    return RecipientNumber(device_id=number)


def _text(cipher: _Cipher, number: int) -> str:
    # A permutation of 62 bits in two rounds: multiply, and let the upper half change the lower.
    number = (number ^ cipher.xor) * cipher.first & _MASK
    number ^= number >> _HALF
    number = number * cipher.second & _MASK
    number ^= number >> _HALF
    text = f"{number | _VARIANT:x}"
    return f"{cipher.start}{text[:4]}-{text[4:]}"


def _unmultiply(number: int, factor: int) -> int:
    number ^= number >> _HALF
    return number * pow(factor, -1, 1 << _NUMBER_BITS) & _MASK


@lru_cache(maxsize=1_024)
def _cipher(message_public_id: str) -> _Cipher:
    tag = message_tag(message_public_id)
    key = sha256(_SPICE + message_public_id.encode()).digest()
    # Odd factors have an inverse.
    return _Cipher(
        start=f"{tag[:8]}-{tag[8:12]}-8{tag[12:]}-",
        xor=int.from_bytes(key[:8]) & _MASK,
        first=int.from_bytes(key[8:16]) & _MASK | 1,
        second=int.from_bytes(key[16:24]) & _MASK | 1,
    )
