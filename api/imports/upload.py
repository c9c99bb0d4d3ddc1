"""Uploads as they come in: raw or as one part of a form, written on while they are received."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.errors import BadRequestError, BodyTooLargeError
from api.imports.job import shown_name

_PIECE = 1 << 20
_HEADER_LIMIT = 8_192


@dataclass(slots=True)
class Received:
    """A file on its way in: where it is written, what is known of it so far."""

    file: BinaryIO
    limit: int
    name: str | None = None
    size: int = 0
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Write a piece; raises `BodyTooLargeError`."""
        self.size += len(data)
        if self.size > self.limit:
            raise BodyTooLargeError(f"A file to import may have {self.limit} bytes.")
        self.hash.update(data)
        self.file.write(data)


async def receive(request: Request, received: Received) -> None:
    """Write the file of `request`; raises what is wrong with the request."""
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type == b"multipart/form-data":
        form = _Form(received, options.get(b"boundary", b""))
        async for piece in _pieces(request):
            await run_in_threadpool(form.feed, piece)
        form.close()
        return
    async for piece in _pieces(request):
        await run_in_threadpool(received.write, piece)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces that are worth a thread."""
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class _Form:
    """Hands the bytes of the one part `file` on."""

    def __init__(self, received: Received, boundary: bytes) -> None:
        if not boundary:
            raise BadRequestError("The Content-Type of a form must name its boundary.")
        self._received = received
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = b"", b""
        self._files = 0
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Read a piece of the form."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadRequestError(f"The form can not be read: {error}") from error

    def close(self) -> None:
        """Raise when the form had no file, or was cut off."""
        if not self._is_whole:
            raise BadRequestError("The form is cut off.")
        if not self._files:
            raise BadRequestError("The form has no part named `file`.")

    def _begin(self) -> None:
        self._headers = {}
        self._field, self._value = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field = self._limited(self._field + data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._limited(self._value + data[start:end])

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._files += 1
        if options.get(b"name") != b"file" or self._files > 1:
            raise BadRequestError("The form must have one part, `file`: options are in the query.")
        self._received.name = self._received.name or file_name(options)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._received.write(data[start:end])

    def _end(self) -> None:
        self._is_whole = True

    def _limited(self, text: bytes) -> bytes:
        if len(text) > _HEADER_LIMIT:
            raise BadRequestError("A header of the form is too long.")
        return text


def file_name(options: Mapping[bytes, bytes]) -> str | None:
    """Return the name a form gives its file, to be shown and nothing else."""
    return shown_name(options.get(b"filename", b"")) or None
