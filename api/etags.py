"""Entity tags: what was read tells whether it is still the same, and guards a change."""

import hashlib
import re

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.answers import to_json
from api.errors import PreconditionFailedError

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_JSON = "application/json"


def etag_of(body: bytes) -> str:
    """Return the entity tag of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def answer_unchanged(request: Request, response: Response) -> Response:
    """Give good answers about one thing their `ETag`; 304 to a reader that has it already."""
    is_whole = response.status_code == 200 and response.headers.get("content-type") == _JSON
    if not is_whole or request.method not in {"GET", "PUT", "PATCH"}:
        return response
    tag = etag_of(bytes(response.body))
    if request.method == "GET" and _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def require_match(condition: str, present: BaseModel | None) -> None:
    """Raise `PreconditionFailedError` unless `If-Match` names what is `present`.

    Call it with the row locked, or another change may come in between.
    """
    if present is None or not _names(condition, etag_of(to_json(present.model_dump()))):
        raise PreconditionFailedError


def _names(condition: str, tag: str) -> bool:
    return condition.strip() == "*" or tag in _TAG.findall(condition)
