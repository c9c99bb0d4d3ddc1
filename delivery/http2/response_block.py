"""Response header blocks (HPACK, RFC 7541); pure.

We give the peer a table of no bytes, so every block stands alone and needs no state.
"""

from hpack import Decoder, HPACKError

from delivery.http2.frames import COMPRESSION_ERROR, PeerError

LARGEST_BLOCK = 65_536


def status_of(block: bytes) -> int:
    """Return the status, 0 when there is none; raise PeerError for what is no block.

    The first byte of a plain success says it all; the rest of such a block is read on demand.
    """
    if block[:1] == b"\x88" or block[:2] == b"\x20\x88":
        return 200
    status = headers_of(block).get(":status", "")
    return int(status) if len(status) == 3 and status.isascii() and status.isdigit() else 0


def headers_of(block: bytes) -> dict[str, str]:
    """Return the fields of a block by their names; raise PeerError for what is no block."""
    decoder = Decoder(max_header_list_size=LARGEST_BLOCK)
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    try:
        fields = decoder.decode(block, raw=True)
    except (HPACKError, UnicodeDecodeError, ValueError, IndexError) as error:
        raise PeerError(COMPRESSION_ERROR, "an unreadable header block") from error
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}
