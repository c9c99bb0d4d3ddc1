"""Answers as bytes: what a route hands back once its transaction is committed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer before it becomes a response; `body` None means an empty body."""

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer as bytes; it may hold a secret."""

    body: bytes = field(repr=False)
    status: int
    headers: Mapping[str, str]

    def to_response(self) -> Response:
        """Return the response. Call it after the commit, never before."""
        return json_response(self.body, self.status, self.headers)


def to_json(value: Any) -> bytes:
    """Return `value` as JSON with RFC 3339 times in UTC."""
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)
    except TypeError:
        # Whole numbers beyond 64 bits: PostgreSQL writes 1e300 with all its digits.
        return json.dumps(value, default=_simple, ensure_ascii=False).encode()


def _simple(value: Any) -> Any:
    """Return a value that only orjson knows, such as a time, as it writes it."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def encode_body(answer: Answer) -> bytes:
    """Return the bytes of the answer's body."""
    return b"" if answer.body is None else to_json(answer.body.model_dump())


def respond(answer: Answer) -> Response:
    """Return the response for `answer`. Call it after the commit, never before."""
    return json_response(encode_body(answer), answer.status, answer.headers)


def json_response(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """Return a JSON response of ready bytes; without bytes it has no content type either."""
    return Response(
        body,
        status_code=status,
        headers=dict(headers),
        media_type="application/json" if body else None,
    )
