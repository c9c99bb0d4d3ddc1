"""Request header blocks (HPACK, RFC 7541), written for the table of one peer; pure.

What is the same for many requests goes into the peer's table once and is named by one byte from
then on. What varies is literal, only its name comes from the table, as Apple advises.
"""

from math import inf

from delivery.transport import Fields, NotProcessed

Field = tuple[str, str]

_POST_HTTPS = b"\x83\x87"
_PATH = b"\x04"
_STATIC_ENTRIES = 61
_STATIC_NAMES = {":authority": 1, "accept": 19, "authorization": 23, "content-type": 31}
_OVERHEAD = 32
_PSEUDO_BYTES = 3 * _OVERHEAD + len(":methodPOST:schemehttps:path")
_LARGEST_TABLE = 4_096
# A full table is emptied, but not more often than this: fields that never fit must not thrash.
_BLOCKS_BETWEEN_CLEARS = 1_000


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
        self._capacity = _LARGEST_TABLE
        self._used = self._inserted = self._blocks = 0
        self._full = False
        # When each entry went in, by field and by name; what stands for them on the wire now.
        self._entries: dict[Field | str, int] = {}
        self._fields: dict[Field, bytes] = {}
        self._names: dict[str, bytes] = {}
        self._update = b""

    def resize(self, capacity: int) -> None:
        """Follow the peer's SETTINGS_HEADER_TABLE_SIZE; a changed table starts anew."""
        capacity = min(capacity, _LARGEST_TABLE)
        if capacity != self._capacity:
            self._capacity = capacity
            self._clear()

    def _clear(self) -> None:
        self._used = self._blocks = 0
        self._full = False
        for memory in (self._entries, self._fields, self._names):
            memory.clear()
        self._update = b"\x20" + (integer(self._capacity, 5, 0x20) if self._capacity else b"")

    def write(self, path: str, headers: Fields, varying: Fields) -> bytes | NotProcessed:
        """Return the block of a POST, or why the peer can not get it."""
        try:
            return self._write(path, headers, varying)
        except UnicodeEncodeError:
            # The peer will not see what went into the table meanwhile.
            self._clear()
            return NotProcessed("unsupported", "a header that is no text")

    def _write(self, path: str, headers: Fields, varying: Fields) -> bytes | NotProcessed:
        if self.limit < inf:
            size = _PSEUDO_BYTES + len(path) + list_bytes((self._authority, *headers, *varying))
            if size > self.limit:
                return NotProcessed("too_large", f"its headers are larger than {self.limit} bytes")
        self._blocks += 1
        if self._full and self._blocks > _BLOCKS_BETWEEN_CLEARS:
            self._clear()
        fields, names = self._fields, self._names
        authority = fields.get(self._authority) or self._field(self._authority)
        parts = [self._update, _POST_HTTPS, authority, _PATH, _string(path)]
        parts += [fields.get(field) or self._field(field) for field in headers]
        for name, value in varying:
            known = names.get(name)
            parts.append(known + _string(value) if known else self._varying(name, value))
        self._update = b""
        return b"".join(parts)

    def _field(self, field: Field) -> bytes:
        if field in self._entries:
            self._fields[field] = integer(self._index(field), 7, 0x80)
            return self._fields[field]
        return self._insert(field) or self._literal(*field)

    def _varying(self, name: str, value: str) -> bytes:
        known = name in _STATIC_NAMES or name in self._entries
        return (None if known else self._insert((name, value))) or self._literal(name, value)

    def _literal(self, name: str, value: str) -> bytes:
        self._names[name] = self._name(name, 4, 0)
        return self._names[name] + _string(value)

    def _insert(self, field: Field) -> bytes | None:
        size = list_bytes((field,))
        if self._used + size > self._capacity:
            self._full = self._full or size * 2 <= self._capacity
            return None
        name, value = field
        literal = self._name(name, 6, 0x40) + _string(value)
        self._used += size
        self._inserted += 1
        self._entries[field] = self._entries[name] = self._inserted
        # Every index that was handed out before is one larger now.
        self._fields.clear()
        self._names.clear()
        return literal

    def _index(self, entry: Field | str) -> int:
        return _STATIC_ENTRIES + 1 + self._inserted - self._entries[entry]

    def _name(self, name: str, bits: int, first: int) -> bytes:
        if name in _STATIC_NAMES:
            return integer(_STATIC_NAMES[name], bits, first)
        if name in self._entries:
            return integer(self._index(name), bits, first)
        return bytes((first,)) + _string(name)
