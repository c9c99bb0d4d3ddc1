"""Small servers on loopback for the tests of dialing: each connection is given to a function."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from delivery.sandbox.authority import AuthorityFiles, make_authority

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Give each connection to `serve` on a thread of its own; the port is what a block gets."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    threads: list[threading.Thread] = []

    def run(plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            serve(plain)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                # So that no test waits for a server that waits for its client.
                plain.settimeout(10)
                threads.append(threading.Thread(target=run, args=(plain,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        # Closing alone would leave the thread in its accept.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(15)
            assert not thread.is_alive()


def authority(folder: Path) -> AuthorityFiles:
    """Make an authority with a server certificate for the loopback names."""
    folder.mkdir(exist_ok=True)
    make_authority(folder)
    return AuthorityFiles(folder)


def server_context(files: AuthorityFiles, *alpn: str) -> ssl.SSLContext:
    """Return a context with the authority's server certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.server_key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def greeting(context: ssl.SSLContext) -> Serve:
    """Shake hands, say hello, and wait for the client's end."""

    def serve(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.sendall(b"hello")
            while tls.recv(65_536):
                pass

    return serve


def silent(plain: socket.socket) -> None:
    """Read until the client's end, and say nothing."""
    while plain.recv(65_536):
        pass


def hasty(plain: socket.socket) -> None:
    """Hang up once the client has said something."""
    plain.recv(65_536)
