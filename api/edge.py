"""The outermost layer: request ids, headers every answer carries, and the last resort."""

import logging
import re
import uuid
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import InternalError
from api.problems import problem

_LOGGER = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Browsers honour it over HTTPS only, so it does no harm on a laptop.
    "Strict-Transport-Security": "max-age=31536000",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


class Edge:
    """Wraps the application in what holds for every answer, also for the ones that broke."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        has_started = False

        async def send_decorated(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                _decorate(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_decorated)
        except ClientDisconnect:
            return
        except Exception:
            _LOGGER.exception("request.broke", extra={"request_id": request_id})
            if has_started:
                # Half an answer must not look like a whole one: the server cuts the connection.
                raise
            answer = problem(InternalError(), request_id, scope["path"])
            await answer(scope, receive, send_decorated)


def _decorate(message: Message, request_id: str) -> None:
    """Add the headers every answer carries; by hand, as it is done for every request."""
    headers: list[tuple[bytes, bytes]] = list(message["headers"])
    given = {name for name, _ in headers}
    headers += [pair for pair in _RAW_HEADERS if pair[0] not in given]
    headers.append((b"x-request-id", request_id.encode()))
    message["headers"] = headers


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    return uuid.uuid4().hex
