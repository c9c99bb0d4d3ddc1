"""Dialing through HTTP proxies that know CONNECT, or do not."""

import base64
import contextlib
import selectors
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.sandbox.authority import AuthorityFiles
from delivery.tls.dial import DialError, Route, dial
from delivery.transport import Endpoint
from tests.delivery.tls.servers import authority, greeting, listening, server_context, silent


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    return authority(tmp_path / "authority")


class Proxy:
    """Connects to whatever it is asked for, and remembers the requests."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.requests: list[bytes] = []
        self._answer = answer

    def serve(self, plain: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += plain.recv(1)
        self.requests.append(request)
        host, _, port = request.split()[1].decode().rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), 10) as gateway:
            plain.sendall(self._answer)
            relay(plain, gateway)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select(10):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65_536)
                if not data:
                    return
                key.data.sendall(data)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize(
    ("user", "expected"),
    [("", None), ("me@", b"me:"), ("m%40e:p%3Ass@", b"m@e:p:ss")],
)
def test_a_gateway_is_reached_through_a_proxy(
    files: AuthorityFiles, host: str, user: str, expected: bytes | None
) -> None:
    proxy = Proxy()
    serve = greeting(server_context(files, "h2"))
    with listening(serve, host.strip("[]")) as port, listening(proxy.serve) as way:
        endpoint = Endpoint(f"https://{host}:{port}", "a")
        wire = dial(endpoint, Route(files.ca, f"http://{user}127.0.0.1:{way}"), 0)

        with contextlib.closing(wire.socket):
            assert not wire.fault

    lines = proxy.requests[0].split(b"\r\n")
    target = f"{host}:{port}".encode()
    assert lines[:2] == [b"CONNECT " + target + b" HTTP/1.1", b"Host: " + target]
    authorization = [b"Proxy-Authorization: Basic " + base64.b64encode(expected or b"")]
    assert lines[2:-2] == (authorization if expected is not None else [])


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(plain: socket.socket) -> None:
        plain.recv(65_536)
        plain.sendall(answer)
        plain.shutdown(socket.SHUT_WR)
        silent(plain)

    return serve


REFUSALS = {
    b"": "the proxy answered: nothing",
    b"HTTP/1.1 407 Who are you\r\n\r\n": "the proxy answered: HTTP/1.1 407 Who are you",
    b"HTTP/1.1 502 Bad gateway\r\nx: y": "the proxy answered: HTTP/1.1 502 Bad gateway",
    b"SSH-2.0-\xff\r\n": "the proxy answered: SSH-2.0-ÿ",
    b"HTTP/1.1 500 \r\n" + b"x: y\r\n" * 9_000: "the proxy answered: HTTP/1.1 500 ",
    b"HTTP/1.1 200 OK\r\n\r\n": "the gateway closed the connection during TLS",
    b"HTTP/1.1 200 OK\r\n": "the gateway closed the connection during TLS",
}


@pytest.mark.parametrize("answer", REFUSALS)
def test_what_a_proxy_says_instead_is_told(files: AuthorityFiles, answer: bytes) -> None:
    with listening(saying(answer)) as way, pytest.raises(DialError) as caught:
        dial(Endpoint("https://127.0.0.1:1", "a"), Route(files.ca, f"http://127.0.0.1:{way}"), 0)

    assert (caught.value.fault, str(caught.value)) == ("connect", REFUSALS[answer])


def test_a_silent_proxy_costs_no_more_than_the_time_given(files: AuthorityFiles) -> None:
    with listening(silent) as way:
        route = Route(files.ca, f"http://127.0.0.1:{way}", timeout_seconds=0.2)

        with pytest.raises(DialError, match="timed out"):
            dial(Endpoint("https://127.0.0.1:1", "a"), route, 0)
