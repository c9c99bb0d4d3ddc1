"""An HTTP/2 server that misbehaves on purpose, frame by frame, and remembers what it read."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from delivery.sandbox.authority import AuthorityFiles, make_authority

ABORT_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Peer:
    """One connection as a script sees it; `bodies` holds every request read whole."""

    number: int
    http: h2.connection.H2Connection
    socket: ssl.SSLSocket
    bodies: list[bytes] = field(default_factory=list)
    partial: dict[int, bytes] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, stream: int, status: int = 200) -> None:
        """Answer with a status and a small body."""
        self.http.send_headers(stream, [(":status", str(status)), ("x-peer", str(self.number))])
        self.http.send_data(stream, b"{}", end_stream=True)

    def refuse(self, stream: int) -> None:
        """Refuse a stream: it was not processed."""
        self.http.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    def abort(self) -> None:
        """Reset the TCP connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT_ON_CLOSE)
        self.socket.close()


# What to do about a request that was read whole: peer and stream.
Script = Callable[[Peer, int], None]


class FrameServer:
    """Serves TLS on loopback, one thread per connection, until closed."""

    def __init__(self, folder: Path, script: Script, *, alpn: bool = True) -> None:
        make_authority(folder)
        files = AuthorityFiles(folder)
        self.ca = files.ca
        self.peers: list[Peer] = []
        self._script = script
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.server, files.server_key)
        if alpn:
            self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def bodies(self) -> list[bytes]:
        """Return every request that any connection read whole."""
        return [body for peer in self.peers for body in peer.bodies]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            wrapped = self._context.wrap_socket(plain, server_side=True)
            config = h2.config.H2Configuration(client_side=False)
            peer = Peer(len(self.peers), h2.connection.H2Connection(config), wrapped)
            self.peers.append(peer)
            try:
                self._converse(peer)
            finally:
                peer.ended.set()

    def _converse(self, peer: Peer) -> None:
        peer.http.initiate_connection()
        self._flush(peer)
        while data := peer.socket.recv(65_536):
            for event in peer.http.receive_data(data):
                self._handle(peer, event)
            self._flush(peer)

    def _flush(self, peer: Peer) -> None:
        if data := peer.http.data_to_send():
            peer.socket.sendall(data)

    def _handle(self, peer: Peer, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            peer.partial[event.stream_id] = peer.partial.get(event.stream_id, b"") + event.data
            peer.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            peer.bodies.append(peer.partial.pop(event.stream_id, b""))
            self._script(peer, event.stream_id)

    def close(self) -> None:
        """Stop listening and drop all connections."""
        self._listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.socket.close()


@contextlib.contextmanager
def serving(folder: Path, script: Script, *, alpn: bool = True) -> Iterator[FrameServer]:
    """Run a server for the length of a block."""
    server = FrameServer(folder, script, alpn=alpn)
    try:
        yield server
    finally:
        server.close()
