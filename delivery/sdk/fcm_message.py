"""From the body of a request to firebase-admin's message, and proof that it says the same; pure."""

import json
from itertools import zip_longest
from typing import Any

import orjson
from firebase_admin import messaging

from delivery.sdk.fcm_fields import MESSAGE, build, moment, seconds
from delivery.sdk.trip import UnsupportedError

_NEAR = 1e-9


def to_message(body: bytes) -> tuple[messaging.Message, bool]:
    """Return the message, and whether it is only to be validated.

    Raises `UnsupportedError` for what firebase-admin refuses, has no field for, or would write
    with another meaning.
    """
    try:
        parts = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnsupportedError(f"firebase-admin sends JSON only: {error}.") from error
    if not isinstance(parts, dict) or "message" not in parts:
        raise UnsupportedError("firebase-admin sends messages only.")
    strange = parts.keys() - {"message", "validate_only"}
    if strange:
        raise UnsupportedError(f"firebase-admin has no field for {min(strange)}.")
    message = build(MESSAGE, parts["message"], "message")
    try:
        said = json.loads(str(message))
    except (TypeError, ValueError) as error:
        raise UnsupportedError(f"firebase-admin refuses the message: {error}") from error
    differing = _difference(parts["message"], said, "message")
    if differing:
        raise UnsupportedError(f"firebase-admin would change {differing}.")
    return message, bool(parts.get("validate_only", False))


def _difference(wanted: Any, said: Any, path: str) -> str | None:
    """Return where two values first differ; empty ones are the same as none at all."""
    if isinstance(wanted, dict) and isinstance(said, dict):
        names = list(wanted | said)
        return _first((wanted.get(name), said.get(name), f"{path}.{name}") for name in names)
    if isinstance(wanted, list) and isinstance(said, list):
        pairs = zip_longest(wanted, said)
        return _first((one, other, f"{path}.{number}") for number, (one, other) in enumerate(pairs))
    return None if _alike(wanted, said) else path


def _first(pairs: Any) -> str | None:
    return next((found for pair in pairs if (found := _difference(*pair))), None)


def _alike(wanted: Any, said: Any) -> bool:
    if wanted in (None, [], {}) and said in (None, [], {}):
        return True
    if isinstance(wanted, str) and isinstance(said, str):
        # It writes durations, times and the names of constants in its own way.
        return (
            wanted.lower() == said.lower()
            or (seconds(wanted) is not None and seconds(wanted) == seconds(said))
            or (moment(wanted) is not None and moment(wanted) == moment(said))
        )
    if isinstance(wanted, bool) or isinstance(said, bool):
        return wanted is said
    if isinstance(wanted, int | float) and isinstance(said, int | float):
        return abs(wanted - said) <= _NEAR
    return bool(wanted == said)
