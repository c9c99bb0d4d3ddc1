"""Packed request bodies: gzip is unpacked as it comes in, and never beyond the limit."""

import zlib

from api.errors import BadRequestError, BodyTooLargeError

_GZIP = 16 + zlib.MAX_WBITS


class Unpacker:
    """Unpacks the pieces of one gzip body; a bomb is found before it goes off."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.unpacked = 0
        self._stream = zlib.decompressobj(_GZIP)

    def feed(self, piece: bytes) -> bytes:
        """Return what a piece unpacks to; raise when all is over the limit, or no gzip."""
        if self._stream.eof and piece:
            raise BadRequestError("The body goes on behind the end of its gzip stream.")
        try:
            # One byte more than the limit is enough to know.
            data = self._stream.decompress(piece, self._limit - self.unpacked + 1)
        except zlib.error as error:
            raise BadRequestError("The body is not gzip, though its header says so.") from error
        self.unpacked += len(data)
        if self.unpacked > self._limit:
            raise BodyTooLargeError(f"The limit is {self._limit} bytes, unpacked.")
        if self._stream.unused_data:
            raise BadRequestError("The body goes on behind the end of its gzip stream.")
        return data

    def end(self) -> None:
        """Raise unless the stream is whole."""
        if not self._stream.eof:
            raise BadRequestError("The gzip body is cut off.")
