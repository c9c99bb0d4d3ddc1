"""Bodies that are one item or a list of them, and the answers to lists: one result for each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from api.answers import json_response, to_json
from api.batches import BATCH_LIMIT
from api.fields import parse_moment
from api.ingest.parsing import parse_parts
from api.json_body import pointer_step, printable
from core.clock import utc_now
from core.errors import FieldError, InvalidPayloadError


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read: a single item's `fields`, or `items`, of which some may be `Broken`.

    `now` is when it came; `skew` is how far the sender's clock is behind ours, by its `sent_at`.
    """

    fields: dict[str, Any]
    items: Sequence[Any] | None
    now: datetime
    skew: timedelta


def read_body_of(body: bytes, name: str) -> Body:
    """Return what a body holds, whose list is called `name`; raise what fails all of it."""
    now = utc_now()
    if not body:
        raise InvalidPayloadError(fields=(FieldError("", "missing", "A body is due."),))
    fields, items = parse_parts(body, name)
    skew = _skew(_sent_at(fields), now)
    if items is None:
        return Body(fields, None, now, skew)
    if fields:
        words = f"There is no such field here; there are: {name}, sent_at."
        names = [pointer_step(printable(one)) for one in fields]
        faults = [FieldError(one, "unknown_field", words) for one in names]
        raise InvalidPayloadError(fields=tuple(faults))
    if not 0 < len(items) <= BATCH_LIMIT:
        code = "too_long" if items else "too_short"
        words = f"A batch has 1 to {BATCH_LIMIT} {name}."
        raise InvalidPayloadError(fields=(FieldError(f"/{name}", code, words),))
    return Body(fields, items, now, skew)


def _sent_at(fields: dict[str, Any]) -> datetime | None:
    if "sent_at" not in fields:
        return None
    given = fields.pop("sent_at")
    try:
        return parse_moment(given)
    except ValueError as error:
        code = "invalid_value" if isinstance(given, str) else "wrong_type"
        raise InvalidPayloadError(fields=(FieldError("/sent_at", code, f"It {error}."),)) from None


def _skew(sent_at: datetime | None, now: datetime) -> timedelta:
    return timedelta() if sent_at is None else now - sent_at.astimezone(UTC)


def stored(index: int, status: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of an item that is stored; `key` names it as the caller did."""
    return {"index": index, "status": status, **key, "reason": None, "errors": None}


def rejected(
    name: str, index: int, faults: Sequence[FieldError], key: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the result of an item of the list `name` that was refused."""
    start = f"/{name}/{index}"
    errors = [
        {"pointer": start + one.pointer, "code": one.code, "message": one.message} for one in faults
    ]
    return {
        "index": index, "status": "rejected", **key, "reason": faults[0].code, "errors": errors,
    }  # fmt: skip


def answer_items(results: Sequence[Mapping[str, Any]]) -> Response:
    """Return the answer to a list, with its counts."""
    counts = Counter(result["status"] for result in results)
    body = {
        "accepted": counts["accepted"],
        "duplicates": counts["duplicate"],
        "rejected": counts["rejected"],
        "results": results,
    }
    return json_response(to_json(body), 207, {})
