"""From JSON to receipts: everything is checked here, before anything of it reaches PostgreSQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.fields import parse_moment
from api.ingest.parsing import Broken
from api.ingest.receipt_bodies import MILESTONES
from api.json_body import pointer_step, printable
from core.errors import FieldError
from delivery.receipts.receipt import Milestone, Receipt

Faults = tuple[FieldError, ...]
_FIELDS = ("delivery_id", "milestone", "at")
_DELIVERY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME_SHOWN = 100
_FAULTS_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """`now` is when the request came, `skew` how far the sender's clock is behind ours."""

    now: datetime
    skew: timedelta = timedelta()


def read_receipt(value: Any, reading: Reading) -> Receipt | Faults:
    """Return the receipt that `value` describes, or what is wrong with it.

    A time that lies in the future, by a clock that is wrong, becomes `now`: that a push has arrived
    is worth more than when.
    """
    if isinstance(value, Broken):
        return (value.fault,)
    if not isinstance(value, dict):
        return (FieldError("", "wrong_type", "A receipt is an object."),)
    faults = [_unknown(name) for name in value if name not in _FIELDS]
    delivery_id = _text(value, "delivery_id", faults)
    if delivery_id and not _DELIVERY.fullmatch(delivery_id):
        words = "It must be the `carillon_message_id` of a push."
        faults.append(FieldError("/delivery_id", "invalid_value", words))
    milestone = _text(value, "milestone", faults)
    if milestone and milestone not in MILESTONES:
        words = f"It must be one of: {', '.join(MILESTONES)}."
        faults.append(FieldError("/milestone", "invalid_value", words))
    at = _at(value, reading, faults)
    if faults:
        return tuple(faults[:_FAULTS_LIMIT])
    return Receipt(delivery_id.lower(), Milestone(milestone), at)


def _unknown(name: str) -> FieldError:
    words = f"There is no such field here; there are: {', '.join(_FIELDS)}."
    return FieldError(pointer_step(printable(name[:_NAME_SHOWN])), "unknown_field", words)


def _text(value: Mapping[str, Any], field: str, faults: list[FieldError]) -> str:
    given = value.get(field)
    if isinstance(given, str) and given:
        return given
    if field not in value:
        faults.append(FieldError(f"/{field}", "missing", "The field is required."))
    elif isinstance(given, str):
        faults.append(FieldError(f"/{field}", "too_short", "It must not be empty."))
    else:
        faults.append(FieldError(f"/{field}", "wrong_type", "A text is due."))
    return ""


def _at(value: Mapping[str, Any], reading: Reading, faults: list[FieldError]) -> datetime:
    if "at" not in value:
        return reading.now
    given = value["at"]
    try:
        return min(parse_moment(given) + reading.skew, reading.now)
    except OverflowError:
        return reading.now
    except ValueError as error:
        code = "invalid_value" if isinstance(given, str) else "wrong_type"
        faults.append(FieldError("/at", code, f"It {error}."))
    return reading.now
