"""Response header blocks against the encoder of hpack and against noise."""

from functools import partial

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from delivery.http2.frames import COMPRESSION_ERROR, PeerError
from delivery.http2.response_block import headers_of, status_of
from delivery.transport import LazyHeaders

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
fields = st.dictionaries(names, texts, max_size=8)


def encoded(fields: list[tuple[str, str]], *, huffman: bool = True) -> bytes:
    """Return a block as a peer without a table writes it."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields, huffman=huffman)


def status_or_code(block: bytes) -> int:
    """Return the status, or the negative code of the error."""
    try:
        return status_of(block)
    except PeerError as error:
        return -error.code


@given(st.integers(100, 999), fields, st.booleans())
def test_what_a_peer_encodes_is_read(status: int, found: dict[str, str], huffman: bool) -> None:  # noqa: FBT001
    block = encoded([(":status", str(status)), *found.items()], huffman=huffman)

    headers = LazyHeaders(partial(headers_of, block))

    assert status_of(block) == status
    assert dict(headers) == {":status": str(status), **found}
    assert len(headers) == len(found) + 1


@given(st.binary(max_size=200))
def test_noise_is_a_status_or_an_error_of_the_peer(block: bytes) -> None:
    assert status_or_code(block) in {*range(1_000), -COMPRESSION_ERROR}
    assert all(isinstance(value, str) for value in LazyHeaders(partial(headers_of, block)).values())


@given(st.binary(max_size=40), st.data())
def test_a_block_cut_or_changed_anywhere_raises_nothing_else(
    noise: bytes, data: st.DataObject
) -> None:
    block = bytearray(encoded([(":status", "410"), ("apns-id", "x" * 20)], huffman=False) + noise)
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] = data.draw(st.integers(0, 255))

    for size in range(len(block)):
        assert status_or_code(bytes(block[:size])) in {*range(1_000), -COMPRESSION_ERROR}


@pytest.mark.parametrize("start", [b"", b"\x20"])
def test_a_plain_success_is_told_by_its_first_byte(start: bytes) -> None:
    unreadable = start + b"\x88\xff\xff\xff\xff\xff"

    assert status_of(unreadable) == 200
    assert dict(LazyHeaders(partial(headers_of, unreadable))) == {}


@pytest.mark.parametrize("status", ["", "20", "2000", "2e2", "+20", "two", "²00"])
def test_a_status_of_any_other_form_is_none(status: str) -> None:
    assert status_of(encoded([(":status", status), ("x", "y")])) == 0


def test_a_block_without_a_status_has_none() -> None:
    assert status_of(encoded([("content-type", "text/plain")])) == 0


def test_bytes_that_are_no_utf8_are_read_one_to_one() -> None:
    block = b"\x88" + b"\x00\x01x\x03\xff\xfe\x41"

    assert LazyHeaders(partial(headers_of, block))["x"] == "ÿþA"


def test_an_entry_of_a_table_that_we_do_not_keep_is_an_error() -> None:
    with pytest.raises(PeerError, match="unreadable header block"):
        status_of(b"\xbe")


def test_a_list_that_is_too_long_is_an_error() -> None:
    block = encoded([(":status", "500"), *((f"x-{n}", "y" * 1_000) for n in range(100))])

    with pytest.raises(PeerError):
        status_of(block)
    assert LazyHeaders(partial(headers_of, block)).get("x-1") is None
