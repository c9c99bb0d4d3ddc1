"""Bytes over TLS on a socket that takes little, and the count of those that left for good."""

import contextlib
import random
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.sandbox.authority import AuthorityFiles
from delivery.tls.wire import Wire
from tests.delivery.tls.servers import authority, server_context

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Pair:
    """A wire and the server's end of it, which blocks."""

    def __init__(self, files: AuthorityFiles, version: ssl.TLSVersion) -> None:
        plain, self.plain = socket.socketpair()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        for one in (plain, self.plain):
            one.settimeout(10)
        context = server_context(files)
        context.minimum_version = context.maximum_version = version
        self.server: ssl.SSLSocket | None = None

        def accept() -> None:
            self.server = context.wrap_socket(
                self.plain, server_side=True, suppress_ragged_eofs=True
            )

        thread = threading.Thread(target=accept)
        thread.start()
        self.wire = shaken(plain, ssl.create_default_context(cafile=files.ca))
        thread.join(10)

    def read(self, size: int = 1 << 20) -> bytes:
        """Read what the server can make out, at most `size` bytes."""
        assert self.server is not None
        found = b""
        with contextlib.suppress(OSError):
            while len(found) < size and (part := self.server.recv(size - len(found))):
                found += part
        return found

    def close(self) -> None:
        self.wire.socket.close()
        if self.server is not None:
            self.server.close()


def shaken(plain: socket.socket, context: ssl.SSLContext) -> Wire:
    """Shake hands as a client, over memory buffers, with a server that is ready."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65_536))
        else:
            break
    plain.sendall(outgoing.read())
    plain.settimeout(0)
    return Wire(plain, tls, (incoming, outgoing))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> AuthorityFiles:
    return authority(tmp_path_factory.mktemp("wire") / "authority")


@contextlib.contextmanager
def joined(files: AuthorityFiles, version: ssl.TLSVersion = VERSIONS[1]) -> Iterator[Pair]:
    pair = Pair(files, version)
    try:
        yield pair
    finally:
        pair.close()


def heard(wire: Wire) -> bytes:
    """Wait until there is something to read, and read it."""
    assert select.select([wire.socket], [], [], 10)[0], "nothing came"
    return wire.receive()


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 60_000), max_size=6),
    st.sampled_from(VERSIONS),
    st.integers(0, 50_000),
)
def test_what_counts_as_written_is_what_the_peer_can_read(
    files: AuthorityFiles, sizes: list[int], version: ssl.TLSVersion, read_before: int
) -> None:
    data = random.Random(len(sizes)).randbytes(sum(sizes))
    at = 0
    with joined(files, version) as pair:
        for size in sizes:
            pair.wire.send(data[at : at + size])
            at += size
        early = pair.read(min(read_before, pair.wire.written))
        pair.wire.send(b"")

        pair.wire.socket.close()

        assert early + pair.read() == data[: pair.wire.written]


@pytest.mark.parametrize("version", VERSIONS)
def test_all_leaves_in_order_when_the_peer_reads_slowly(
    files: AuthorityFiles, version: ssl.TLSVersion
) -> None:
    data = random.Random(1).randbytes(300_000)
    with joined(files, version) as pair:
        wire, read = pair.wire, b""
        assert pair.server is not None
        pair.server.settimeout(0)

        wire.send(data)
        congested = wire.congested()
        while len(read) < len(data):
            wire.send(b"")
            with contextlib.suppress(ssl.SSLWantReadError):
                read += pair.server.recv(1_000)

        assert congested
        assert read == data
        assert wire.written == len(data)
        assert not wire.congested()
        assert not wire.unsent()


def test_a_record_that_left_in_part_does_not_count(files: AuthorityFiles) -> None:
    with joined(files) as pair:
        while not pair.wire.unsent():
            pair.wire.send(bytes(10_000))

        assert pair.wire.written % 10_000 == 0
        assert pair.wire.written >= 0
        before = pair.wire.written
        pair.wire.send(b"more")
        assert pair.wire.written == before
        pair.wire.socket.close()
        assert len(pair.read()) == before


def test_nothing_to_read_is_no_fault(files: AuthorityFiles) -> None:
    with joined(files, VERSIONS[0]) as pair:
        assert pair.wire.receive() == b""
        assert pair.wire.fault == ""


def test_a_record_that_came_in_part_waits_for_its_rest(files: AuthorityFiles) -> None:
    with joined(files, VERSIONS[0]) as pair:
        assert pair.server is not None
        pair.server.setblocking(False)  # noqa: FBT003 - the socket's own word.
        with contextlib.suppress(ssl.SSLWantWriteError):
            while True:
                pair.server.send(bytes(16_000))

        found = len(heard(pair.wire))

        assert found % 16_000 == 0
        assert pair.wire.fault == ""


@pytest.mark.parametrize("is_polite", [True, False])
def test_the_last_words_are_heard_before_the_end(files: AuthorityFiles, *, is_polite: bool) -> None:
    with joined(files) as pair:
        assert pair.server is not None
        pair.server.sendall(b"last words")
        if is_polite:
            with contextlib.suppress(OSError):
                pair.server.setblocking(False)  # noqa: FBT003 - the socket's own word.
                pair.server.unwrap()
        else:
            pair.server.close()

        read = b""
        while not pair.wire.fault:
            read += heard(pair.wire)

        assert read == b"last words"
        assert pair.wire.fault == "connection closed by the gateway"


def test_what_is_no_tls_is_a_fault(files: AuthorityFiles) -> None:
    with joined(files) as pair:
        pair.plain = socket.socket(fileno=pair.server.detach()) if pair.server else pair.plain
        with pair.plain:
            pair.plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            assert heard(pair.wire) == b""

    assert pair.wire.fault.startswith("TLS failed: ")


def test_the_first_fault_of_a_wire_stays(files: AuthorityFiles) -> None:
    with joined(files) as pair:
        assert pair.server is not None
        pair.server.sendall(b"last words")
        with socket.socket(fileno=pair.server.detach()) as plain:
            plain.sendall(bytes(100))

        assert heard(pair.wire) == b"last words"
        fault = pair.wire.fault
        pair.wire.send(b"anybody there?")
        assert heard(pair.wire) == b""

    assert fault.startswith("TLS failed: ")
    assert pair.wire.fault == fault


def test_what_tls_said_counts_more_than_a_write_that_failed_first(files: AuthorityFiles) -> None:
    with joined(files) as pair:
        assert pair.server is not None
        with socket.socket(fileno=pair.server.detach()) as plain:
            plain.sendall(bytes(100))

        pair.wire.send(b"anybody there?")
        lost = pair.wire.fault
        heard(pair.wire)

    assert lost.startswith("connection lost: ")
    assert pair.wire.fault.startswith("TLS failed: ")


def test_a_reset_is_a_fault_whoever_notices_it_first(files: AuthorityFiles, tmp_path: Path) -> None:
    context = server_context(files)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for notices in ("receive", "send"):
            plain = socket.create_connection(listener.getsockname()[:2], 10)
            accepted, _ = listener.accept()
            thread = threading.Thread(target=_reset, args=(context, accepted))
            thread.start()
            wire = shaken(plain, ssl.create_default_context(cafile=files.ca))
            thread.join(10)

            with plain:
                while notices == "receive" and not wire.fault:
                    heard(wire)
                while not wire.fault:
                    wire.send(b"anybody there?")

            assert wire.fault.startswith("connection lost: ")


def _reset(context: ssl.SSLContext, plain: socket.socket) -> None:
    """Shake hands, then reset the TCP connection."""
    plain.settimeout(10)
    with context.wrap_socket(plain, server_side=True) as tls:
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_peer_that_never_reads_is_given_up(tmp_path: Path) -> None:
    pair = Pair(authority(tmp_path / "authority"), ssl.TLSVersion.TLSv1_3)

    for _ in range(20):
        pair.wire.send(bytes(1 << 20))

    assert pair.wire.fault == "connection lost: the gateway does not read"
    pair.close()
