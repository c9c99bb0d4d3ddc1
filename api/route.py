"""The route class of every protected door: who first, then the body, then the work."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.access import authenticate
from api.context import Services
from api.errors import BadRequestError, BodyTooLargeError, UnsupportedMediaTypeError
from api.etags import answer_unchanged
from api.json_body import parse_json
from api.packing import Unpacker
from core.errors import FieldError, InvalidPayloadError, NotFoundError

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class JsonRequest(Request):
    """A request whose body was read and checked before."""

    def __init__(self, request: Request, body: bytes, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._checked = (body, value)

    async def body(self) -> bytes:
        """Return the bytes of the body."""
        return self._checked[0]

    async def json(self) -> Any:
        """Return the value of the body."""
        return self._checked[1]


class DoorRoute(APIRoute):
    """Authenticates before the body is read, and reads no more of it than the limit."""

    def get_route_handler(self) -> _Handler:
        """Wrap the handler; `request.state` gets `principal` and, with a body, `raw_body`."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        known = _query_names(self)

        async def guarded(request: Request) -> Response:
            services: Services = request.app.state.services
            if any("\0" in str(value) for value in request.path_params.values()):
                # No id holds it, and PostgreSQL could not even be asked.
                raise NotFoundError
            request.state.principal = await run_in_threadpool(authenticate, services, request)
            _check_query(request, known)
            request.state.raw_body = b""
            if takes_body:
                body = await _read(request, services.settings.max_body_bytes)
                request.state.raw_body = body
                request = JsonRequest(request, body, parse_json(body) if body else None)
            return answer_unchanged(request, await handle(request))

        return guarded


def _query_names(route: APIRoute) -> frozenset[str]:
    elsewhere = (params.Header, params.Path, params.Cookie)
    fields = get_flat_params(route.dependant)
    return frozenset(field.alias for field in fields if not isinstance(field.field_info, elsewhere))


def _check_query(request: Request, known: frozenset[str]) -> None:
    """Refuse what is no parameter here: a misspelt filter must not look as if it worked."""
    unknown = dict.fromkeys(name for name in request.query_params if name not in known)
    if unknown:
        words = f"There is no such parameter here; there are: {', '.join(sorted(known)) or 'none'}."
        raise InvalidPayloadError(
            fields=tuple(FieldError(f"query:{name}", "unknown_field", words) for name in unknown)
        )


async def _read(request: Request, limit: int) -> bytes:
    _check_length(request, limit)
    unpacker = _unpacker(request, limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(f"The limit is {limit} bytes.")
        chunks.append(unpacker.feed(chunk) if unpacker else chunk)
    if size:
        _check_media_type(request)
        if unpacker:
            unpacker.end()
    return b"".join(chunks)


def _unpacker(request: Request, limit: int) -> Unpacker | None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaTypeError("The body may be encoded with gzip, or not at all.")
    return None if encoding == "identity" else Unpacker(limit)


def _check_length(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError("The Content-Length header is not a number.")
    if len(length) > 18 or int(length) > limit:
        raise BodyTooLargeError(f"The limit is {limit} bytes.")


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaTypeError
