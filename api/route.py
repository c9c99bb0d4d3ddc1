"""The route class of every protected door: who first, then the body, then the work."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from itertools import islice
from typing import Any, get_args, get_origin

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
_FAULT_LIMIT = 100


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
            check_query(request, known)
            request.state.raw_body = b""
            if takes_body:
                body = await read_body(request, services.settings.max_body_bytes)
                request.state.raw_body = body
                request = JsonRequest(request, body, parse_json(body) if body else None)
            return answer_unchanged(request, await handle(request))

        return guarded


def _query_names(route: APIRoute) -> dict[str, bool]:
    """Return the parameters of a query, and of each whether it may come more than once."""
    elsewhere = (params.Header, params.Path, params.Cookie)
    return {
        field.alias: _is_list(field.field_info.annotation)
        for field in get_flat_params(route.dependant)
        if not isinstance(field.field_info, elsewhere)
    }


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Refuse what is no parameter here, comes twice, or no store holds.

    A misspelt filter must not look as if it worked, nor must the one of two that is passed over.
    """
    faults = tuple(islice(_query_faults(request, known), _FAULT_LIMIT))
    if faults:
        raise InvalidPayloadError(fields=faults)


def _query_faults(request: Request, known: Mapping[str, bool]) -> Iterator[FieldError]:
    there_are = f"There is no such parameter here; there are: {', '.join(sorted(known)) or 'none'}."
    given = request.query_params.multi_items()
    with_nul = {name for name, value in given if "\0" in value}
    for name, count in Counter(name for name, _ in given).items():
        pointer = f"query:{name}"
        if name not in known:
            yield FieldError(pointer, "unknown_field", there_are)
        elif count > 1 and not known[name]:
            yield FieldError(pointer, "repeated", f"It is given {count} times; give it once.")
        elif name in with_nul:
            words = "The text holds U+0000, which can not be stored."
            yield FieldError(pointer, "nul_character", words)


async def read_body(request: Request, limit: int, *, is_json: bool = True) -> bytes:
    """Return the body, unpacked; raise when it is too large, or should be and is no JSON."""
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
        if is_json:
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
