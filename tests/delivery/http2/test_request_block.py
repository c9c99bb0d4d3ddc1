"""Request header blocks against the decoder of hpack, which plays the peer."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hpack import Decoder
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.http2.request_block import BlockWriter, integer, list_bytes
from delivery.transport import Fields, NotProcessed

AUTHORITY = "gateway.example:443"
NAMES = ("apns-topic", "apns-id", "content-type", "authorization", "accept", "x", "x-" + "n" * 130)

names = st.sampled_from(NAMES) | st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
values = st.sampled_from(("", "10", "alert", "e" * 127, "e" * 2_000)) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=200
)
fields = st.lists(st.tuples(names, values), max_size=6).map(tuple)
paths = st.from_regex(r"/[a-z0-9/:]{0,90}", fullmatch=True) | st.just("/" + "t" * 1_100)
# Small tables are where indices, full tables and clearing meet; 4096 is the default.
capacities = st.sampled_from((0, 1, 33, 64, 100, 200, 4_095, 4_096, 65_536))


@dataclass
class Peer:
    """A decoder whose table is as large as it last said."""

    writer: BlockWriter = field(default_factory=lambda: BlockWriter(AUTHORITY))
    decoder: Decoder = field(default_factory=lambda: Decoder(max_header_list_size=1 << 24))

    def resize(self, capacity: int) -> None:
        self.writer.resize(capacity)
        self.decoder.max_allowed_table_size = capacity

    def exchange(self, path: str, headers: Fields, varying: Fields) -> bytes:
        """Write a block, read it, and hold what was read against what was asked."""
        block = self.writer.write(path, headers, varying)
        assert isinstance(block, bytes)
        read = [
            (name.decode(), value.decode()) for name, value in self.decoder.decode(block, raw=True)
        ]
        assert read == [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", AUTHORITY),
            (":path", path),
            *headers,
            *varying,
        ]
        return block


@given(
    st.lists(
        st.tuples(st.none() | st.lists(capacities, min_size=1, max_size=3), paths, fields, fields),
        max_size=30,
    )
)
def test_the_peer_reads_what_was_asked_whatever_its_table(
    steps: list[tuple[list[int] | None, str, Fields, Fields]],
) -> None:
    peer = Peer()

    for sizes, path, headers, varying in steps:
        for capacity in sizes or ():
            peer.resize(capacity)
        peer.exchange(path, headers, varying)


@settings(max_examples=10)  # Each takes as many blocks as lie between two clearings.
@given(st.integers(1, 200), st.lists(fields, min_size=1, max_size=4), st.data())
def test_a_table_that_fills_again_and_again_stays_in_step(
    capacity: int, headers: list[Fields], data: st.DataObject
) -> None:
    peer = Peer()
    peer.resize(capacity)

    for _ in range(2_100 // len(headers)):
        for some in headers:
            peer.exchange("/", some, ())
    for number in range(20):
        changing = data.draw(fields)
        peer.exchange(f"/{number}", changing, changing)


@given(st.integers(0, 1 << 40), st.integers(4, 7))
def test_numbers_are_written_as_the_peer_reads_them(value: int, bits: int) -> None:
    written = integer(value, bits, 0)

    number, shift, rest = written[0], 0, written[1:]
    if number == (1 << bits) - 1:
        for byte in rest:
            number += (byte & 127) << shift
            shift += 7
    assert number == value
    assert all(byte & 128 for byte in rest[:-1])


def test_what_is_shared_is_one_byte_from_the_second_time_on() -> None:
    peer = Peer()
    shared = (("apns-topic", "com.example.app"), ("authorization", "bearer " + "e" * 300))
    first = peer.exchange("/3/device/aa", shared, (("apns-id", "1"),))

    second = peer.exchange("/3/device/bb", shared, (("apns-id", "2"),))

    assert len(first) > 300
    # Method, scheme, authority, path by name, its text, two fields, a name and its text.
    assert len(second) == 1 + 1 + 1 + 1 + (1 + len("/3/device/bb")) + 2 + (2 + 2)


def test_what_varies_never_enters_the_table_but_its_name_does() -> None:
    peer = Peer()
    peer.exchange("/", (), (("apns-collapse-id", "first"),))
    entries = len(peer.decoder.header_table.dynamic_entries)

    for number in range(50):
        peer.exchange("/", (), (("apns-collapse-id", f"secret{number}"), ("accept", f"{number}")))

    assert len(peer.decoder.header_table.dynamic_entries) == entries == 2


def test_a_full_table_is_emptied_only_now_and_then() -> None:
    peer = Peer()
    peer.resize(300)
    sizes = []

    # Every hour another authorization: at last there is no room for it.
    for hour in range(4):
        for _ in range(1_100):
            shared = (("authorization", f"bearer {hour}" + "e" * 80),)
            sizes.append(len(peer.exchange("/", shared, ())))

    large = [size for size in sizes if size > 80]
    assert len(large) < 12
    assert sizes[-1] < 20


def test_a_field_that_never_fits_does_not_empty_the_table() -> None:
    peer = Peer()
    huge, small = ("authorization", "e" * 4_000), ("apns-topic", "com.example.app")
    peer.exchange("/", (small,), ())

    sizes = {len(peer.exchange("/", (huge, small), ())) for _ in range(1_100)}

    assert len(sizes) == 1


def test_shrinking_to_nothing_and_back_within_one_settings_frame_is_announced() -> None:
    peer = Peer()
    shared = (("apns-topic", "com.example.app"),)
    peer.exchange("/", shared, ())

    for capacity in (0, 4_096):
        peer.resize(capacity)

    assert peer.exchange("/", shared, ()).startswith(b"\x20\x3f\xe1\x1f")
    assert peer.decoder.header_table_size == 4_096


def test_a_larger_table_than_ours_is_left_unused() -> None:
    peer = Peer()

    peer.resize(1 << 20)

    assert not peer.exchange("/", (), ()).startswith(b"\x20")
    assert peer.decoder.header_table_size == 4_096


@given(paths, fields, fields, st.integers(-3, 3))
def test_a_limit_on_header_lists_holds_to_the_byte(
    path: str, headers: Fields, varying: Fields, more: int
) -> None:
    asked = (
        *((":method", "POST"), (":scheme", "https"), (":authority", AUTHORITY), (":path", path)),
        *headers,
        *varying,
    )
    size = sum(len(name.encode()) + len(value.encode()) + 32 for name, value in asked)
    writer = BlockWriter(AUTHORITY)
    writer.limit = size + more

    block = writer.write(path, headers, varying)

    assert isinstance(block, NotProcessed) == (more < 0)
    assert list_bytes(asked) == size


def test_a_block_that_was_refused_leaves_no_trace() -> None:
    peer = Peer()
    peer.writer.limit = 300

    refused = peer.writer.write("/", (("authorization", "e" * 300),), ())

    assert isinstance(refused, NotProcessed)
    assert refused.fault == "too_large"
    peer.exchange("/", (("authorization", "small"),), ())


@pytest.mark.parametrize("write", [BlockWriter("a").write, BlockWriter("[::1]:8443").write])
def test_the_first_bytes_name_a_post_over_https(write: Callable[..., bytes | None]) -> None:
    block = write("/", (), ())

    assert isinstance(block, bytes)
    assert block[:2] == b"\x83\x87"


def test_a_header_that_is_no_text_is_refused_and_the_table_stays_in_step() -> None:
    peer = Peer()
    peer.exchange("/", (("x", "1"),), ())

    refused = peer.writer.write("/", (("new", "in the table"), ("y", "\ud800")), ())

    assert refused == NotProcessed("unsupported", "a header that is no text")
    peer.exchange("/", (("x", "1"), ("new", "in the table")), ())


def test_a_path_that_is_no_text_is_refused_under_a_limit_too() -> None:
    peer = Peer()
    peer.writer.limit = 3_000

    refused = peer.writer.write("/", (("y", "\ud800"),), ())

    assert refused == NotProcessed("unsupported", "a header that is no text")
    peer.exchange("/", (("x", "1"),), ())
