"""The few frames a server of pushes writes, as bytes; pure.

https://www.rfc-editor.org/rfc/rfc9113. Field blocks are literal, so they need no state.
"""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, ACK = 1, 1
HIGHEST_STREAM = 2**31 - 1
SETTINGS_ACK = b"\0\0\0\4\1\0\0\0\0"
MAX_CONCURRENT_STREAMS = 3
REFUSED_STREAM = 7

_STATUS_200 = b"\x88"
_APNS_ID = b"\x00\x07apns-id\x24"
_FCM_BODY = b'{"name":"projects/bench/messages/0:1"}'
# 31 is the place of content-type in the static table.
_FCM_FIELDS = _STATUS_200 + b"\x0f\x10\x10application/json"


def settings(name: int, value: int) -> bytes:
    """Return a SETTINGS frame with one value."""
    return b"\0\0\6\4\0\0\0\0\0" + struct.pack(">HI", name, value)


def window_update(octets: int) -> bytes:
    """Return a WINDOW_UPDATE of the connection."""
    return b"\0\0\4\x08\0\0\0\0\0" + octets.to_bytes(4, "big")


def ping_ack(payload: bytes) -> bytes:
    """Return the answer to a PING."""
    return b"\0\0\x08\6\1\0\0\0\0" + payload


def goaway(last: int) -> bytes:
    """Return a GOAWAY without an error."""
    return b"\0\0\x08\7\0\0\0\0\0" + struct.pack(">II", last, 0)


def refusal(stream: int) -> bytes:
    """Return a RST_STREAM that says the stream was not processed."""
    return b"\0\0\4\3\0" + struct.pack(">II", stream, REFUSED_STREAM)


def answer(stream: int, body: bytes) -> bytes:
    """Return 200 as the gateway that such a body belongs to answers it."""
    if body.startswith(b'{"id"'):
        fields = _STATUS_200 + _APNS_ID + body[8:44]
        return _frame(HEADERS, 5, stream, fields)
    return _frame(HEADERS, 4, stream, _FCM_FIELDS) + _frame(DATA, END_STREAM, stream, _FCM_BODY)


def number_of(body: bytes) -> int:
    """Return the number of a push of bench.senders.pushes; raises ValueError for another body."""
    at = 8 if body.startswith(b'{"id"') else body.index(b'"token":"') + 9
    return int(body[at : at + 8], 16)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) << 8 | kind) + struct.pack(">BI", flags, stream) + payload
