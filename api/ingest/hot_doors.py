"""A short way to the hot doors, past routing and the layers that only other routes need.

What these layers do for a hot door is done here: errors become problems, long answers are packed.
Requests that are not answered here (other methods, other paths) go the usual way.
"""

import gzip
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.gzip_answers import takes_gzip
from api.ingest.errors import BusyError, OutcomeUnknownError
from api.ingest.hot_route import Handler, HotRoute
from api.problems import answer_problem, named_error, problem
from core.errors import CarillonError

_PACKED_FROM_BYTES = 1_000
_PACKING_LEVEL = 6
_Found = tuple[HotRoute, Handler, Mapping[str, Any]]


class HotDoors:
    """Serves the hot routes of an application directly."""

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter], owner: ASGIApp) -> None:
        self._app = app
        self._owner = owner
        routes = [one for router in routers for one in router.routes if isinstance(one, HotRoute)]
        handlers = [(one, one.get_route_handler()) for one in routes]
        self._literal = {one.path: (one, handle) for one, handle in handlers if "{" not in one.path}
        self._others = [(one, handle) for one, handle in handlers if "{" in one.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        route, handle, params = found
        scope["app"], scope["path_params"], scope["route"] = self._owner, params, route
        request = Request(scope, receive, send)
        try:
            answer = await handle(request)
        except Exception as error:
            named = named_error(error)
            if named is None:
                raise
            answer = _answer(request, named)
        _pack(request, answer)
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> _Found | None:
        path, method = scope["path"], scope["method"]
        known = self._literal.get(path)
        if known is not None:
            return (*known, {}) if method in (known[0].methods or ()) else None
        for route, handle in self._others:
            matched = route.path_regex.match(path)
            if matched is not None and method in (route.methods or ()):
                return route, handle, matched.groupdict()
        return None


def _answer(request: Request, error: CarillonError) -> Response:
    if isinstance(error, (BusyError, OutcomeUnknownError)):
        # The writer has said it once for all of them.
        return problem(error, request.state.request_id, request.url.path)
    return answer_problem(request, error)


def _pack(request: Request, answer: Response) -> None:
    """Pack an answer as the others are: when it is long and its reader can unpack it."""
    if len(answer.body) < _PACKED_FROM_BYTES:
        return
    answer.headers.add_vary_header("Accept-Encoding")
    if takes_gzip(request.headers.get("accept-encoding", "")):
        answer.body = gzip.compress(bytes(answer.body), _PACKING_LEVEL)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
