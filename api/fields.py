"""Pieces of payloads that several resources share, as strict pydantic types."""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_YEARS = range(1970, 2101)


class Payload(BaseModel):
    """What comes in: no unknown field, no guessed type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Document(BaseModel):
    """What goes out."""

    model_config = ConfigDict(frozen=True, from_attributes=True, serialize_by_alias=True)


def parse_moment(value: Any) -> datetime:
    """Return the moment that a text names (RFC 3339); raise `ValueError` in words."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be a time such as 2026-03-01T12:00:00Z (RFC 3339)")
    try:
        moment = datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a time between 1970 and 2100") from error
    if moment.year not in _YEARS:
        raise ValueError("must be a time between 1970 and 2100")
    return moment


def describe_without_null(schema: dict[str, Any], *names: str) -> None:
    """Say in a JSON schema that these properties may be absent, but are never null."""
    for name in names:
        described = schema["properties"][name]
        described.pop("default", None)
        (given,) = (one for one in described.pop("anyOf") if one != {"type": "null"})
        described.update(given)


def encode_cursor(row_id: int) -> str:
    """Return the opaque cursor of the page that begins behind this row."""
    return base64.urlsafe_b64encode(row_id.to_bytes(8)).decode().rstrip("=")


def _decode_cursor(value: Any) -> Any:
    if value == FIRST_PAGE:
        return value
    try:
        row_id = int.from_bytes(base64.urlsafe_b64decode(f"{value}="))
    except ValueError:
        row_id = -1
    if not 0 <= row_id < 2**63 or encode_cursor(row_id) != value:
        raise ValueError("must be the `next_cursor` of a page")
    return row_id


def _to_whole(value: Any) -> Any:
    # JSON has one kind of number: 60.0 is 60.
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Comes behind the limits of an integer, so that it runs before they are checked.
WHOLE = BeforeValidator(_to_whole)
Moment = Annotated[datetime, BeforeValidator(parse_moment)]
Name = Annotated[
    str,
    # Spaces alone are no name.
    StringConstraints(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
    ),
]
# Without control characters, and neither `.` nor `..`: these vanish from paths.
ExternalId = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=255,
        pattern=r"^([^\x00-\x1f\x7f-\x9f.]|\.[^\x00-\x1f\x7f-\x9f.]|\.\.[^\x00-\x1f\x7f-\x9f])"
        r"[^\x00-\x1f\x7f-\x9f]*$",
    ),
]
# What an app calls somebody who has not signed in: its stored name has a prefix.
AnonymousId = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    int,
    BeforeValidator(_decode_cursor),
    # Eight bytes of base64, of which the first bit and the last two are always zero.
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-f][A-Za-z0-9_-]{9}[AEIMQUYcgkosw048]$"}),
    Field(description="The `next_cursor` of the page before."),
]
FIRST_PAGE = 0


class Page(Document):
    """One page; `next_cursor` is null on the last one."""

    next_cursor: str | None = None

    @classmethod
    def cut(cls, rows: list[Any], limit: int, **values: Any) -> Self:
        """Return the page of `rows`, which hold one row more than `limit` if more follow."""
        more = len(rows) > limit
        return cls(next_cursor=encode_cursor(rows[limit - 1].id) if more else None, **values)
