"""Reading BER, of which DER is the strict part: tags, lengths and values; pure.

Only what PKCS#12 files need (ITU-T X.690), and never more work than the text is long.
"""

from collections.abc import Iterator
from dataclasses import dataclass

INTEGER, OCTETS, OBJECT, SEQUENCE = 0x02, 0x04, 0x06, 0x30
EXPLICIT = 0xA0
_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_END = b"\0\0"
_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its first byte, which names its kind, and the bytes within."""

    tag: int
    content: bytes

    def require(self, tag: int) -> "Value":
        """Return this value; raise `ValueError` when it is not of the kind `tag`."""
        if self.tag != tag:
            raise ValueError(f"tag {self.tag:#x} where {tag:#x} is needed")
        return self

    def children(self) -> list["Value"]:
        """Return the values within; raise `ValueError` when they can not be read."""
        if not self.tag & _CONSTRUCTED:
            raise ValueError("a value that has no parts")
        return list(_values(self.content, _DEPTH))

    def sequence(self) -> list["Value"]:
        """Return the parts of a SEQUENCE; raise `ValueError` when it is none."""
        return self.require(SEQUENCE).children()

    def integer(self) -> int:
        """Return a whole number; raise `ValueError` when it is none."""
        return int.from_bytes(self.require(INTEGER).content, "big", signed=True)

    def octets(self, depth: int = _DEPTH) -> bytes:
        """Return an OCTET STRING, which BER may cut in pieces; raise `ValueError`."""
        if self.tag == OCTETS:
            return self.content
        self.require(OCTETS | _CONSTRUCTED)
        if depth == 0:
            raise ValueError("too deep")
        return b"".join(piece.octets(depth - 1) for piece in self.children())

    def inner(self) -> "Value":
        """Return the one value within `[0] EXPLICIT`; raise `ValueError`."""
        parts = self.require(EXPLICIT).children()
        if len(parts) != 1:
            raise ValueError("one value is needed")
        return parts[0]


def read(data: bytes) -> Value:
    """Return the first value of `data`; raise `ValueError` when it can not be read."""
    for value in _values(data, _DEPTH):
        return value
    raise ValueError("nothing to read")


def _values(data: bytes, depth: int) -> Iterator[Value]:
    place = 0
    while place < len(data):
        value, place = _value(data, place, depth)
        yield value


def _value(data: bytes, place: int, depth: int) -> tuple[Value, int]:
    """Return the value at `place`, and the place behind it."""
    if depth == 0 or len(data) < place + 2:
        raise ValueError("too deep, or cut off")
    tag, first = data[place], data[place + 1]
    if tag & _LONG_TAG == _LONG_TAG:
        raise ValueError("a tag of several bytes")
    start = place + 2
    if first == _INDEFINITE:
        return _indefinite(data, tag, start, depth)
    if first > _INDEFINITE:
        size = first & ~_INDEFINITE
        first, start = int.from_bytes(data[start : start + size], "big"), start + size
    end = start + first
    if end > len(data):
        raise ValueError("cut off")
    return Value(tag, data[start:end]), end


def _indefinite(data: bytes, tag: int, start: int, depth: int) -> tuple[Value, int]:
    if not tag & _CONSTRUCTED:
        raise ValueError("a plain value without a length")
    end = start
    while data[end : end + 2] != _END:
        _, end = _value(data, end, depth - 1)
    return Value(tag, data[start:end]), end + 2
