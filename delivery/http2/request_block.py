"""Request header blocks (HPACK, RFC 7541), written for the table of one peer; pure.

What is the same for many requests goes into the peer's table once and is named by one byte from
then on. What varies is literal, only its name comes from the table, as Apple advises.
"""

from math import inf

Fields = tuple[tuple[str, str], ...]

_POST_HTTPS = b"\x83\x87"
_PATH = b"\x04"
_STATIC_ENTRIES = 61
_STATIC_NAMES = {":authority": 1, "accept": 19, "authorization": 23, "content-type": 31}
_OVERHEAD = 32
_LARGEST_TABLE = 4_096
_REMEMBERED = 256
# A full table is emptied, but not more often than this: groups that never fit must not thrash.
_BLOCKS_BETWEEN_CLEARS = 1_000
_PSEUDO_BYTES = 3 * _OVERHEAD + len(":methodPOST:schemehttps:path")


def integer(value: int, bits: int, first: int) -> bytes:
    """Return a number with a prefix of `bits`; `first` holds the bits before the prefix."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


_LENGTHS = tuple(integer(size, 7, 0) for size in range(1_024))


def _string(text: str) -> bytes:
    raw = text.encode()
    return (_LENGTHS[len(raw)] if len(raw) < len(_LENGTHS) else integer(len(raw), 7, 0)) + raw


def list_bytes(fields: Fields) -> int:
    """Return what fields count against a peer's limit on header lists."""
    return sum(len(name.encode()) + len(value.encode()) + _OVERHEAD for name, value in fields)


class BlockWriter:
    """Writes the blocks of one connection and keeps the peer's table in mind.

    `limit` is the peer's on header lists. Names are lower case; no field may hold a line break.
    """

    def __init__(self, authority: str) -> None:
        self.limit: float = inf
        self._authority = (":authority", authority)
        self._fixed_bytes = _PSEUDO_BYTES + list_bytes((self._authority,))
        self._capacity = _LARGEST_TABLE
        self._used = 0
        self._inserted = 0
        self._entries: dict[tuple[str, str], int] = {}
        self._names: dict[str, int] = {}
        self._due = b""
        self._full = False
        self._blocks = 0
        self._known: dict[Fields, tuple[bytes, bytes, int]] = {}
        self._prefixes: dict[str, bytes] = {}

    def resize(self, capacity: int) -> None:
        """Follow the peer's SETTINGS_HEADER_TABLE_SIZE; a changed table starts anew."""
        capacity = min(capacity, _LARGEST_TABLE)
        if capacity != self._capacity:
            self._capacity = capacity
            self._clear()

    def _clear(self) -> None:
        self._used = self._blocks = 0
        self._full = False
        for memory in (self._entries, self._names, self._known, self._prefixes):
            memory.clear()
        self._due = b"\x20" + (integer(self._capacity, 5, 0x20) if self._capacity else b"")

    def write(self, path: str, headers: Fields, varying: Fields) -> bytes | None:
        """Return the block of a POST, or None when it is over the peer's limit."""
        known, prefixes = self._known.get(headers), self._prefixes
        if known is None:
            return self._write_new(path, headers, varying)
        head, tail, size = known
        raw = path.encode()
        parts = [head, _string(path), tail]
        size += len(raw)
        for name, value in varying:
            if name not in prefixes:
                return self._write_new(path, headers, varying)
            text = _string(value)
            parts += (prefixes[name], text)
            size += len(name) + len(text) + _OVERHEAD
        self._blocks += 1
        return b"".join(parts) if size <= self.limit else None

    def _write_new(self, path: str, headers: Fields, varying: Fields) -> bytes | None:
        size = self._fixed_bytes + list_bytes(headers)
        if size + len(path.encode()) + list_bytes(varying) > self.limit:
            return None
        if self._full and self._blocks >= _BLOCKS_BETWEEN_CLEARS:
            self._clear()
        due, before = self._due, self._inserted
        self._due = b""
        head = _POST_HTTPS + self._constant(*self._authority) + _PATH
        tail = b"".join(self._constant(name, value) for name, value in headers)
        rest = b"".join(self._varying(name, value) for name, value in varying)
        if self._inserted == before:
            self._remember(headers, (head, tail, size), varying)
        self._blocks += 1
        return due + head + _string(path) + tail + rest

    def _remember(self, headers: Fields, known: tuple[bytes, bytes, int], varying: Fields) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[headers] = known
        self._prefixes.update((name, self._name(name, 4, 0)) for name, _ in varying)

    def _constant(self, name: str, value: str) -> bytes:
        serial = self._entries.get((name, value))
        if serial is not None:
            return integer(self._index(serial), 7, 0x80)
        return self._insert(name, value) or self._name(name, 4, 0) + _string(value)

    def _varying(self, name: str, value: str) -> bytes:
        known = name in _STATIC_NAMES or name in self._names
        inserted = None if known else self._insert(name, value)
        return inserted or self._name(name, 4, 0) + _string(value)

    def _insert(self, name: str, value: str) -> bytes | None:
        size = list_bytes(((name, value),))
        if self._used + size > self._capacity:
            self._full = self._full or size * 2 <= self._capacity
            return None
        block = self._name(name, 6, 0x40) + _string(value)
        self._used += size
        self._inserted += 1
        self._entries[name, value] = self._names[name] = self._inserted
        # Every index that was handed out before is one larger now.
        self._known.clear()
        self._prefixes.clear()
        return block

    def _index(self, serial: int) -> int:
        return _STATIC_ENTRIES + 1 + self._inserted - serial

    def _name(self, name: str, bits: int, first: int) -> bytes:
        index = _STATIC_NAMES.get(name)
        if index is None and name in self._names:
            index = self._index(self._names[name])
        return bytes((first,)) + _string(name) if index is None else integer(index, bits, first)
