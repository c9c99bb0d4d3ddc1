"""Dialing against TLS servers that are good, odd, wrong or silent."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from OpenSSL import SSL

from bench.faults.certificates import make_server_certificate
from delivery.sandbox.authority import AuthorityFiles, make_p12
from delivery.tls.dial import DialError, Route, dial, dial_in_thread, fault_of
from delivery.tls.wire import Wire
from delivery.transport import Endpoint
from tests.delivery.tls.servers import (
    authority,
    greeting,
    hasty,
    listening,
    server_context,
    silent,
)


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    return authority(tmp_path / "authority")


@contextlib.contextmanager
def dialed(endpoint: Endpoint, route: Route, turn: int = 0) -> Iterator[Wire]:
    wire = dial(endpoint, route, turn)
    try:
        yield wire
    finally:
        wire.socket.close()


def to(port: int, host: str = "127.0.0.1") -> Endpoint:
    return Endpoint(f"https://{host}:{port}", "a")


def heard(wire: Wire) -> bytes:
    """Say something and wait for what comes back, if only that the wire has ended.

    The rest of a handshake leaves with the first bytes.
    """
    wire.send(b"anything")
    data = b""
    while not data and not wire.fault:
        assert select.select([wire.socket], [], [], 10)[0], "nothing came"
        data = wire.receive()
    return data


def refusal(endpoint: Endpoint, route: Route) -> DialError:
    with pytest.raises(DialError) as caught:
        dial(endpoint, route, 0)
    return caught.value


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("alpn", [[], ["h2"], ["http/1.1", "h2"], ["http/1.1"]])
def test_both_versions_of_tls_are_spoken_whatever_is_negotiated(
    files: AuthorityFiles, version: ssl.TLSVersion, alpn: list[str]
) -> None:
    context = server_context(files, *alpn)
    context.minimum_version = context.maximum_version = version

    with (
        listening(greeting(context)) as port,
        dialed(to(port), Route(files.ca, timeout_seconds=5)) as wire,
    ):
        assert heard(wire) == b"hello"


def test_an_old_version_of_tls_is_not_spoken(files: AuthorityFiles) -> None:
    context = server_context(files)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with listening(greeting(context)) as port:
        assert refusal(to(port), Route(files.ca)).fault == "connect"


def test_an_authority_that_is_not_trusted_is_a_matter_of_certificates(
    files: AuthorityFiles, tmp_path: Path
) -> None:
    other = authority(tmp_path / "other")

    with listening(greeting(server_context(files))) as port:
        for route in (Route(), Route(other.ca)):
            error = refusal(to(port), route)

            assert error.fault == "certificate"
            assert "CERTIFICATE_VERIFY_FAILED" in str(error)


@pytest.mark.parametrize(
    ("name", "lasts", "words"),
    [
        (x509.DNSName("other.example"), timedelta(days=1), "IP address mismatch"),
        (x509.IPAddress(ip_address("127.0.0.1")), timedelta(minutes=-1), "certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_with_its_reason(
    files: AuthorityFiles, name: x509.GeneralName, lasts: timedelta, words: str
) -> None:
    chain = make_server_certificate(files.folder, "wrong", name, lasts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)

    with listening(greeting(context)) as port:
        error = refusal(to(port), Route(files.ca))

    assert error.fault == "certificate"
    assert words in str(error)


def demanding(files: AuthorityFiles, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context of a server that wants a certificate of the client."""
    context = server_context(files, "h2")
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)
    return context


def certified(files: AuthorityFiles, port: int) -> Endpoint:
    p12 = pkcs12.load_pkcs12(make_p12(files.folder, "com.example.app", "secret"), b"secret")
    assert p12.cert is not None
    assert p12.key is not None
    key = p12.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    certificate = p12.cert.certificate.public_bytes(Encoding.PEM).decode()
    return Endpoint(f"https://127.0.0.1:{port}", "a", certificate, key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_when_it_is_demanded(
    files: AuthorityFiles, version: ssl.TLSVersion
) -> None:
    with (
        listening(greeting(demanding(files, version))) as port,
        dialed(certified(files, port), Route(files.ca)) as wire,
    ):
        assert heard(wire) == b"hello"


@pytest.mark.parametrize("is_shown", [True, False])
def test_tls_1_3_tells_after_the_handshake_that_our_certificate_is_wanting(
    files: AuthorityFiles, tmp_path: Path, *, is_shown: bool
) -> None:
    other = authority(tmp_path / "other")
    with listening(greeting(demanding(files, ssl.TLSVersion.TLSv1_3))) as port:
        endpoint = certified(other, port) if is_shown else to(port)

        with dialed(endpoint, Route(files.ca)) as wire:
            heard(wire)

            assert fault_of(wire.fault) == "certificate"


def test_tls_1_2_tells_during_the_handshake_that_our_certificate_is_wanting(
    files: AuthorityFiles, tmp_path: Path
) -> None:
    other = authority(tmp_path / "other")
    with listening(greeting(demanding(files, ssl.TLSVersion.TLSv1_2))) as port:
        assert refusal(certified(other, port), Route(files.ca)).fault == "certificate"
        # Without one the server says no more than that the handshake failed.
        assert "TLS failed" in str(refusal(to(port), Route(files.ca)))


def test_a_certificate_of_ours_that_can_not_be_used_is_named(files: AuthorityFiles) -> None:
    good = certified(files, 1)
    assert good.private_key is not None
    key = load_pem_private_key(good.private_key.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    foreign = files.server_key.read_text()
    unfit = [locked.decode(), foreign, "no key at all"]

    for private_key in unfit:
        endpoint = Endpoint(good.origin, "a", good.certificate, private_key)
        error = refusal(endpoint, Route())

        assert error.fault == "certificate"
        assert str(error).startswith("our certificate can not be used")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "https://", "https://h:99999", "x"])
def test_an_address_that_is_none_is_a_matter_of_connecting(origin: str) -> None:
    assert refusal(Endpoint(origin, "a"), Route()).fault == "connect"


def test_a_name_that_nobody_knows_is_a_matter_of_connecting() -> None:
    assert refusal(to(1, "nowhere.invalid"), Route()).fault == "connect"


def test_a_trust_store_that_is_not_there_is_a_matter_of_connecting(tmp_path: Path) -> None:
    error = refusal(to(1), Route(tmp_path / "none.pem"))

    assert (error.fault, str(error)) == ("connect", "No such file or directory")


def test_a_server_that_hangs_up_is_told(files: AuthorityFiles) -> None:
    with listening(hasty) as port:
        error = refusal(to(port), Route(files.ca))

    assert (error.fault, str(error)) == (
        "connect",
        "the gateway closed the connection during TLS",
    )


def test_a_server_that_speaks_no_tls_is_told(files: AuthorityFiles) -> None:
    with listening(lambda plain: plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        error = refusal(to(port), Route(files.ca))

    assert error.fault == "connect"


def test_a_silent_server_costs_no_more_than_the_time_given(files: AuthorityFiles) -> None:
    with listening(silent) as port:
        error = refusal(to(port), Route(files.ca, timeout_seconds=0.2))

    assert (error.fault, str(error)) == ("connect", "timed out")


def test_no_time_at_all_is_not_enough(files: AuthorityFiles) -> None:
    error = refusal(to(1), Route(files.ca, timeout_seconds=0))

    assert str(error) == "no connection to 127.0.0.1:1 in time"


def test_a_thread_that_can_not_start_is_a_connection_that_can_not_be_made() -> None:
    outcomes: list[Wire | DialError] = []
    usual = threading.stack_size(1 << 46)  # more than there is

    try:
        dial_in_thread(Endpoint("https://127.0.0.1:1", "a"), Route(), 1, outcomes.append)
    finally:
        threading.stack_size(usual)

    assert [str(one) for one in outcomes] == ["can't start new thread"]


def test_an_address_of_a_family_that_the_machine_lacks_is_passed_over(
    files: AuthorityFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(greeting(server_context(files))) as port:
        genuine = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
        lacking = (9_999, *genuine[0][1:4], ("::1", port, 0, 0))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [lacking, *genuine])

        for turn in range(2):
            with dialed(to(port), Route(files.ca), turn) as wire:
                assert heard(wire) == b"hello"
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [lacking])
        error = refusal(to(port), Route(files.ca))

    assert (error.fault, str(error)) == ("connect", "Address family not supported by protocol")


def test_the_kernel_watches_connections_that_nothing_is_written_to(files: AuthorityFiles) -> None:
    with (
        listening(greeting(server_context(files))) as port,
        dialed(to(port), Route(files.ca)) as wire,
    ):
        assert wire.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert wire.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_tls_is_not_negotiated_again(files: AuthorityFiles) -> None:
    """RFC 9113, section 9.2.1; half-way through it nothing could be written."""
    context = SSL.Context(SSL.TLSv1_2_METHOD)
    context.use_certificate_chain_file(str(files.server))
    context.use_privatekey_file(str(files.server_key))

    def serve(plain: socket.socket) -> None:
        plain.settimeout(None)
        server = SSL.Connection(context, plain)
        server.set_accept_state()
        server.do_handshake()
        server.renegotiate()
        server.do_handshake()
        server.sendall(b"hello")
        with contextlib.suppress(SSL.Error):
            server.recv(10)

    with listening(serve) as port, dialed(to(port), Route(files.ca)) as wire:
        assert heard(wire) == b"hello"
        wire.send(b"and on")

        assert wire.fault == ""
