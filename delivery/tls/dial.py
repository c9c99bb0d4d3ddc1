"""From the address of a gateway to a TLS connection; blocking, so each runs in a thread."""

import base64
import contextlib
import secrets
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from delivery.tls.wire import Wire
from delivery.transport import Endpoint

_SHARE_SECONDS = 3.0
_LARGEST_ANSWER = 16_384
# Connections are kept for hours. The kernel asks after a minute of silence, which HTTP/2's own
# PINGs may not: so a network on the way keeps knowing them, and one that is gone is noticed before
# pushes are written to it.
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
)


class DialError(Exception):
    """There is no connection; `fault` is `connect` or `certificate`."""

    def __init__(self, fault: str, words: str) -> None:
        super().__init__(words)
        self.fault = fault

    def close(self) -> None:
        """Close nothing: there is no connection."""


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach gateways.

    `ca_file` replaces the system's trust store; `proxy_url` is an HTTP proxy that knows CONNECT.
    """

    ca_file: Path | None = None
    proxy_url: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0


def fault_of(words: str) -> str:
    """Return whether the end of a connection is about trust; an alert speaks of our certificate."""
    about_trust = "CERTIFICATE" in words or "UNKNOWN_CA" in words
    return "certificate" if about_trust else "connect"


def dial_in_thread(
    endpoint: Endpoint, route: Route, turn: int, report: Callable[[Wire | DialError], None]
) -> None:
    """Dial in a thread of its own, which hands `report` what has become of it, whatever that is."""

    def run() -> None:
        outcome: Wire | DialError = DialError("connect", "a defect while dialing")
        try:
            outcome = dial(endpoint, route, turn)
        except DialError as error:
            outcome = error
        finally:
            report(outcome)

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError as error:
        report(DialError("connect", str(error)))


def dial(endpoint: Endpoint, route: Route, turn: int) -> Wire:
    """Return a connection or raise DialError; `turn` spreads them over the gateway's addresses.

    The name is looked up anew each time, as Apple asks.
    """
    try:
        return _dial(endpoint, route, turn)
    except ssl.SSLError as error:
        words = f"TLS failed: {error.reason or error} {getattr(error, 'verify_message', '')}"
        raise DialError(fault_of(words), words.strip()) from error
    except (OSError, ValueError) as error:
        raise DialError("connect", getattr(error, "strerror", None) or str(error)) from error


def _dial(endpoint: Endpoint, route: Route, turn: int) -> Wire:
    address = urlsplit(endpoint.origin)
    if address.scheme != "https" or not address.hostname:
        raise ValueError("only https:// reaches a gateway")
    context = _context(endpoint, route)
    host, port = address.hostname, address.port or 443
    deadline = time.monotonic() + route.timeout_seconds
    proxy = urlsplit(route.proxy_url) if route.proxy_url else None
    way = proxy or address
    plain = _connect(way.hostname or "", way.port or (80 if proxy else 443), deadline, turn)
    try:
        if proxy:
            _tunnel(plain, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", deadline)
        return _shake_hands(plain, context, host, deadline)
    except (OSError, ValueError):
        plain.close()
        raise


def _context(endpoint: Endpoint, route: Route) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=route.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113, section 9.2.1: half-way through a new handshake nothing could be written.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["h2"])
    if endpoint.certificate and endpoint.private_key:
        try:
            _load_certificate(context, endpoint.certificate, endpoint.private_key)
        except (ValueError, TypeError, UnsupportedAlgorithm, ssl.SSLError) as error:
            raise DialError("certificate", f"our certificate can not be used: {error}") from error
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Load PEM texts; OpenSSL wants a file, so the key lies there encrypted for a moment."""
    password = secrets.token_bytes(32).hex().encode()
    key = serialization.load_pem_private_key(private_key.encode(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.encode() + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _connect(host: str, port: int, deadline: float, turn: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    turn %= len(found)
    last: OSError = TimeoutError(f"no connection to {host}:{port} in time")
    for family, kind, protocol, _, address in found[turn:] + found[:turn]:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            # A machine may know no IPv6 at all, while the gateway has such addresses.
            plain = socket.socket(family, kind, protocol)
        except OSError as error:
            last = error
            continue
        try:
            plain.settimeout(min(left, _SHARE_SECONDS) if len(found) > 1 else left)
            plain.connect(address)
        except OSError as error:
            plain.close()
            last = error
        else:
            for level, option, value in _SOCKET_OPTIONS:
                plain.setsockopt(level, option, value)
            return plain
    raise last


def _tunnel(plain: socket.socket, proxy: SplitResult, target: str, deadline: float) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username is not None:
        user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user).decode()}")
    plain.sendall("\r\n".join([*lines, "", ""]).encode())
    answer, byte = b"", b"-"
    # Byte by byte: what follows the answer belongs to TLS.
    while byte and not answer.endswith(b"\r\n\r\n") and len(answer) < _LARGEST_ANSWER:
        plain.settimeout(max(0.001, deadline - time.monotonic()))
        byte = plain.recv(1)
        answer += byte
    if answer[9:12] != b"200":
        status = "".join(filter(str.isprintable, answer[:200].split(b"\r\n")[0].decode("latin-1")))
        raise ConnectionError(f"the proxy answered: {status or 'nothing'}")


def _shake_hands(plain: socket.socket, context: ssl.SSLContext, host: str, deadline: float) -> Wire:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            plain.sendall(outgoing.read())
            data = plain.recv(65_536)
            if not data:
                raise ConnectionError("the gateway closed the connection during TLS") from None
            incoming.write(data)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                plain.sendall(outgoing.read())  # the alert that tells the peer why
            raise
    plain.settimeout(0)
    return Wire(plain, tls, (incoming, outgoing))
