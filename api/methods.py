"""Methods of paths: HEAD where GET is, OPTIONS everywhere, and an honest `Allow` beside a 405.

A literal path (`/v1/messages/count`) is never taken for an id, so it has its own methods only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import MethodNotAllowedError
from api.problems import problem


@dataclass(frozen=True, slots=True)
class Place:
    """All routes of one path template."""

    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    # Ids of people are free text and may look like any path.
    is_open: bool

    @property
    def allow(self) -> str:
        """Return the value of an `Allow` header."""
        implied = {"OPTIONS", "HEAD"} if "GET" in self.methods else {"OPTIONS"}
        return ", ".join(sorted(self.methods | implied))


def places_of(routers: Iterable[APIRouter]) -> list[Place]:
    """Return the path templates of `routers`, in the order in which paths are tried."""
    found: dict[str, Place] = {}
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                continue
            known = found.get(route.path_format)
            methods = frozenset(route.methods or ()) | (known.methods if known else frozenset())
            is_open = ":path}" in route.path
            found[route.path_format] = Place(
                route.path_format, route.path_regex, methods, is_open=is_open
            )
    return list(found.values())


class Methods:
    """Answers what follows from the method alone, before anybody is authenticated."""

    def __init__(self, app: ASGIApp, places: Sequence[Place]) -> None:
        self._app = app
        self._places = places
        self._literal: Mapping[str, Place] = {
            place.template: place for place in places if "{" not in place.template
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        candidates = self._find(scope["path"])
        method: str = scope["method"]
        if not candidates:
            await self._app(scope, receive, send)
        elif method == "OPTIONS":
            allowed = Response(status_code=204, headers={"Allow": candidates[0].allow})
            await allowed(scope, receive, send)
        elif method == "HEAD" and _has("GET", candidates):
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        elif _has(method, candidates):
            await self._app(scope, receive, send)
        else:
            refused = problem(MethodNotAllowedError(), scope["state"]["request_id"], scope["path"])
            refused.headers["Allow"] = candidates[0].allow
            await refused(scope, receive, send)

    def _find(self, path: str) -> list[Place]:
        literal = self._literal.get(path)
        matching = [place for place in self._places if place.pattern.match(path)]
        if literal is None:
            return matching
        return [literal, *(place for place in matching if place.is_open)]


def _has(method: str, places: Sequence[Place]) -> bool:
    return any(method in place.methods for place in places)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
