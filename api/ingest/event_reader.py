"""From JSON to events: everything is checked here, before anything of it reaches PostgreSQL."""

import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from api.fields import parse_moment
from api.ingest.parsing import Broken
from api.json_body import pointer_step, printable
from core.errors import FieldError
from segments.events.event import (
    NAME_LIMIT,
    PROPERTIES_LIMIT,
    PROPERTIES_LIMIT_BYTES,
    PROPERTIES_LIMIT_DEPTH,
    PROPERTY_NAME_LIMIT,
    NewEvent,
)
from segments.people.resolving import PersonRef, RefKind

Faults = tuple[FieldError, ...]
_FIELDS = frozenset({"uuid", "name", "person", "anonymous_id", "at", "properties"})
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
# As for people: neither `.` nor `..`, which vanish from paths.
_ID = re.compile(r"(?!\.{1,2}\Z)[^\x00-\x1f\x7f-\x9f]+")
_ID_LIMIT = 255
# With its prefix it is a name of at most 255, by which the person can be identified.
_ANONYMOUS_LIMIT = 200
_FIRST_YEAR = 1970
_BIGINT = 2**63
_FAULTS_LIMIT = 10
# Whose the device is that sends the event. Nobody has an empty name.
OWNER = PersonRef(RefKind.EXTERNAL, "")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the events of one request are read.

    `now` is when it came; `skew` is how far the sender's clock is behind ours; `ahead` is how far
    in the future an event may lie. Without `needs_uuid` an event that has none gets one;
    without `needs_person` one that names nobody is about `OWNER`.
    """

    now: datetime
    skew: timedelta = timedelta()
    ahead: timedelta = timedelta(minutes=5)
    needs_uuid: bool = True
    needs_person: bool = True


def read_event(value: Any, reading: Reading) -> NewEvent | Faults:
    """Return the event that `value` describes, or what is wrong with it."""
    if isinstance(value, Broken):
        return (value.fault,)
    if not isinstance(value, dict):
        return (FieldError("", "wrong_type", "An event is an object."),)
    faults: list[FieldError] = []
    if not value.keys() <= _FIELDS:
        faults += _unknown(value)
    name = _text(value, "name", _NAME, NAME_LIMIT, faults)
    made = NewEvent(
        _uuid(value, reading, faults),
        _person(value, reading, faults),
        name,
        _at(value, reading, faults),
        _properties(value, faults),
    )
    return tuple(faults[:_FAULTS_LIMIT]) if faults else made


def _unknown(value: Mapping[str, Any]) -> Iterator[FieldError]:
    words = f"There is no such field here; there are: {', '.join(sorted(_FIELDS))}."
    for name in value:
        if name not in _FIELDS:
            yield FieldError(_step(name), "unknown_field", words)


def _text(
    value: Mapping[str, Any],
    field: str,
    pattern: re.Pattern[str],
    limit: int,
    faults: list[FieldError],
) -> str:
    text = value.get(field)
    pointer = f"/{field}"
    if text is None and field not in value:
        faults.append(FieldError(pointer, "missing", "The field is required."))
    elif not isinstance(text, str):
        faults.append(FieldError(pointer, "wrong_type", "A text is due."))
    elif not text:
        faults.append(FieldError(pointer, "too_short", "It must not be empty."))
    elif len(text) > limit:
        faults.append(FieldError(pointer, "too_long", f"The limit is {limit} characters."))
    elif "\0" in text:
        faults.append(_nul(pointer))
    elif not text.isascii() and not _is_whole(text):
        faults.append(_surrogate(pointer))
    elif not pattern.fullmatch(text):
        words = "It must hold no control characters, and be neither `.` nor `..`."
        faults.append(FieldError(pointer, "invalid_value", words))
    else:
        return text
    return ""


def _uuid(value: Mapping[str, Any], reading: Reading, faults: list[FieldError]) -> str:
    given = value.get("uuid")
    if isinstance(given, str) and _UUID.fullmatch(given):
        return given.lower()
    if "uuid" in value:
        code = "invalid_value" if isinstance(given, str) else "wrong_type"
        faults.append(FieldError("/uuid", code, "A UUID is due, in its usual form."))
    elif reading.needs_uuid:
        words = "Give each event a UUID of its own, and the same one when you send it again."
        faults.append(FieldError("/uuid", "missing", words))
    else:
        return str(uuid.uuid4())
    return ""


def _person(value: Mapping[str, Any], reading: Reading, faults: list[FieldError]) -> PersonRef:
    if "anonymous_id" not in value:
        if "person" not in value and not reading.needs_person:
            return OWNER
        return PersonRef(RefKind.EXTERNAL, _text(value, "person", _ID, _ID_LIMIT, faults))
    if "person" in value:
        words = "Give either `person` or `anonymous_id`."
        faults.append(FieldError("/anonymous_id", "invalid_value", words))
    return PersonRef(RefKind.ANONYMOUS, _text(value, "anonymous_id", _ID, _ANONYMOUS_LIMIT, faults))


def _at(value: Mapping[str, Any], reading: Reading, faults: list[FieldError]) -> datetime:
    given = value.get("at")
    if given is None and "at" not in value:
        return reading.now
    try:
        moment = parse_moment(given) + reading.skew
    except ValueError as error:
        code = "invalid_value" if isinstance(given, str) else "wrong_type"
        faults.append(FieldError("/at", code, f"It {error}."))
        return reading.now
    except OverflowError:
        moment = reading.now + 2 * reading.ahead
    if moment > reading.now + reading.ahead:
        words = "It lies in the future. Send `sent_at` if the sender's clock may be wrong."
        faults.append(FieldError("/at", "in_the_future", words))
    elif moment.year < _FIRST_YEAR:
        faults.append(FieldError("/at", "out_of_range", "It lies before 1970."))
    return moment


def _properties(value: Mapping[str, Any], faults: list[FieldError]) -> str:
    given = value.get("properties")
    if given is None and "properties" not in value:
        return "{}"
    if not isinstance(given, dict):
        faults.append(FieldError("/properties", "wrong_type", "An object is due."))
        return "{}"
    if len(given) > PROPERTIES_LIMIT:
        words = f"An event has at most {PROPERTIES_LIMIT} properties."
        faults.append(FieldError("/properties", "too_long", words))
        return "{}"
    if not _is_good(given, 1):
        _check(given, "/properties", 1, faults.append)
        return "{}"
    text = orjson.dumps(given)
    if len(text) > PROPERTIES_LIMIT_BYTES:
        words = f"The properties of an event have at most {PROPERTIES_LIMIT_BYTES} bytes."
        faults.append(FieldError("/properties", "too_long", words))
    return text.decode()


def _is_good(value: Any, depth: int) -> bool:
    """Tell whether a value can be stored, without saying what is wrong with it."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or _is_whole(value))
    if isinstance(value, dict):
        return depth <= PROPERTIES_LIMIT_DEPTH and all(
            0 < len(key) <= PROPERTY_NAME_LIMIT and _is_good(key, 0) and _is_good(one, depth + 1)
            for key, one in value.items()
        )
    if isinstance(value, list):
        return depth <= PROPERTIES_LIMIT_DEPTH and all(_is_good(one, depth + 1) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -_BIGINT <= value < _BIGINT


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(value: Any, pointer: str, depth: int, report: Callable[[FieldError], None]) -> None:
    """Report what can not be stored in a value, at any depth."""
    if isinstance(value, str):
        _check_text(value, pointer, report)
    elif isinstance(value, dict | list):
        if depth > PROPERTIES_LIMIT_DEPTH:
            words = f"Properties may be nested {PROPERTIES_LIMIT_DEPTH} levels deep."
            report(FieldError(pointer, "too_deep", words))
        elif isinstance(value, dict):
            for key, inner in value.items():
                _check_key(key, pointer, report)
                _check(
                    inner,
                    pointer + _step(key),
                    depth + 1,
                    report,
                )
        else:
            for index, inner in enumerate(value):
                _check(inner, f"{pointer}/{index}", depth + 1, report)
    elif isinstance(value, float):
        if not math.isfinite(value):
            report(FieldError(pointer, "number_out_of_range", "The number is too large."))
    elif isinstance(value, int) and not -_BIGINT <= value < _BIGINT:
        report(FieldError(pointer, "number_out_of_range", "The number does not fit 64 bits."))


def _check_text(text: str, pointer: str, report: Callable[[FieldError], None]) -> None:
    if "\0" in text:
        report(_nul(pointer))
    elif not text.isascii() and not _is_whole(text):
        report(_surrogate(pointer))


def _check_key(key: str, pointer: str, report: Callable[[FieldError], None]) -> None:
    if not 0 < len(key) <= PROPERTY_NAME_LIMIT:
        words = f"The name of a property has 1 to {PROPERTY_NAME_LIMIT} characters."
        report(FieldError(pointer, "too_long" if key else "too_short", words))
    else:
        _check_text(key, pointer, report)


def _nul(pointer: str) -> FieldError:
    return FieldError(pointer, "nul_character", "A text must not hold the character U+0000.")


def _surrogate(pointer: str) -> FieldError:
    return FieldError(pointer, "lone_surrogate", "A text must not hold half a surrogate pair.")


def _step(name: str) -> str:
    return pointer_step(printable(name[:PROPERTY_NAME_LIMIT]))
