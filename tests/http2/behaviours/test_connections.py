"""Connections and how they come about: behaviours 21 to 24."""

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from bench.faults.certificates import make_server_certificate
from bench.faults.connection import FaultConnection
from bench.faults.request import FaultRequest
from bench.faults.script import Script, accept, greet
from bench.faults.server import Options
from delivery.outcome import Paused
from delivery.sandbox.authority import AuthorityFiles, make_authority
from delivery.transport import Ambiguous, Answer, NotProcessed
from tests.http2.behaviours.conftest import MakeTransport, Serve
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import Gateways
from tests.http2.behaviours.scripts import goaway

SendTo = Callable[..., Sending]
LAST_ID = 2**31 - 1


def test_a_connection_out_of_stream_ids_is_replaced(serve: Serve, send_to: SendTo) -> None:
    server = serve()
    sending = send_to(server, first_stream_id=LAST_ID - 4)

    for _ in range(5):
        sending.send(2)

    assert len(sending.has(Answer)) == 10
    assert max(entry.stream for entry in server.record.requests) == LAST_ID
    assert {entry.requests for entry in server.record.connections} <= {1, 2, 3}


TLS: dict[str, Options] = {
    "no ALPN": Options(alpn=False),
    "1.2 only": Options(newest=ssl.TLSVersion.TLSv1_2),
    "1.3 only": Options(oldest=ssl.TLSVersion.TLSv1_3),
}


@pytest.mark.parametrize("kind", TLS)
def test_every_allowed_kind_of_tls_is_spoken(kind: str, serve: Serve, send_to: SendTo) -> None:
    server = serve(options=TLS[kind])
    sending = send_to(server)

    sending.send(20)

    (entry,) = server.record.connections
    assert len(sending.has(Answer)) == 20
    assert (kind, entry.tls) in {
        ("no ALPN", "TLSv1.3"),
        ("1.2 only", "TLSv1.2"),
        ("1.3 only", "TLSv1.3"),
    }


def untrusted(kind: str, folder: Path) -> Options:
    """What is wrong about a server's certificate."""
    here = x509.IPAddress(IPv4Address("127.0.0.1"))
    if kind == "another name":
        pair = make_server_certificate(
            folder, "elsewhere", x509.DNSName("elsewhere.test"), timedelta(days=1)
        )
    elif kind == "expired":
        pair = make_server_certificate(folder, "expired", here, timedelta(minutes=-5))
    else:
        other = folder / "other"
        other.mkdir()
        make_authority(other)
        pair = AuthorityFiles(other).server, AuthorityFiles(other).server_key
    return Options(certificate=pair[0], key=pair[1])


@pytest.mark.parametrize("kind", ["another name", "expired", "another authority"])
def test_a_gateway_that_is_not_trusted_gets_nothing_and_no_storm(
    kind: str, tmp_path: Path, serve: Serve, send_to: SendTo
) -> None:
    first = serve()
    server = serve(options=untrusted(kind, first.files.folder))
    sending = send_to(server)

    sending.send(50)
    sending.send(50)

    assert {one.fault for one in sending.has(NotProcessed)} == {"certificate"}
    assert len(sending.has(NotProcessed)) == 100
    assert server.record.began == 0
    assert len(server.record.connections) <= 4


def test_a_gateway_that_is_not_trusted_stops_the_credential(gateways: Gateways) -> None:
    folder = gateways.server.files.folder
    gateways.server.serve_with(untrusted("expired", folder))

    outcomes = gateways.send(gateways.apns(), 5)

    assert {(type(one), getattr(one, "reason", "")) for one in outcomes} == {
        (Paused, "gateway_not_trusted")
    }
    assert gateways.pushes() == []


def test_a_certificate_that_expires_mid_run_ends_no_open_connection(
    serve: Serve, send_to: SendTo
) -> None:
    server = serve()
    sending = send_to(server)
    sending.send(5)

    server.serve_with(untrusted("expired", server.files.folder))
    sending.send(5)
    server.each(goaway(None))
    sending.pump_until(lambda: server.record.connections[0].closed_at is not None)
    sending.send(5)

    assert len(sending.has(Answer)) == 10
    assert {one.fault for one in sending.has(NotProcessed)} == {"certificate"}


def test_a_gateway_that_wants_another_certificate_is_named(serve: Serve, send_to: SendTo) -> None:
    server = serve(options=Options(wants_client_certificate=True))
    sending = send_to(server)

    sending.send(5)

    assert {one.fault for one in sending.has(NotProcessed)} == {"certificate"}
    assert server.record.began == 0


def test_bursts_with_pauses_share_one_connection(serve: Serve, send_to: SendTo) -> None:
    server = serve()
    sending = send_to(server)

    for _ in range(10):
        sending.send(100)

    assert len(sending.has(Answer)) == 1_000
    assert server.record.connections_within(60) == 1


def closes(connection: FaultConnection) -> None:
    connection.settings({})
    connection.close()


def resets(connection: FaultConnection) -> None:
    connection.reset()


def says_goodbye(connection: FaultConnection) -> None:
    connection.settings({})
    connection.goaway(0)


@pytest.mark.parametrize("opened", [closes, resets, says_goodbye])
def test_connections_that_come_to_nothing_are_not_opened_in_a_storm(
    opened: Callable[[FaultConnection], None], serve: Serve, send_to: SendTo
) -> None:
    server = serve(Script(opened=opened))
    sending = send_to(server)

    for _ in range(30):
        sending.submit(10, seconds=1.5)
        sending.transport.pump(0.02)
    sending.settle()

    assert sending.has(Answer) == []
    assert server.record.connections_within(60) <= 10


def test_frequent_goodbyes_cost_no_more_connections_than_they_must(
    serve: Serve, send_to: SendTo
) -> None:
    def answer(request: FaultRequest) -> None:
        accept(request)
        if request.ordinal == 199:
            request.connection.goaway(request.stream)

    server = serve(Script(opened=greet(50), arrived=answer))
    sending = send_to(server)

    for _ in range(10):
        sending.send(100)

    # Each goodbye leaves the streams behind it to be sent again.
    assert sending.has(Ambiguous) == []
    assert len(sending.has(NotProcessed)) <= 5 * 49
    assert server.record.connections_within(60) <= 10


def test_a_gateway_that_refuses_connections_is_asked_seldom(
    serve: Serve, make_transport: MakeTransport, send_to: SendTo
) -> None:
    server = serve()
    server.refuse_connections()
    sending = send_to(server)

    for _ in range(5):
        sending.submit(20, seconds=0.3)
        sending.transport.pump(0.05)
    sending.settle()

    assert {one.fault for one in sending.has(NotProcessed)} == {"connect"}
    assert len(sending.has(NotProcessed)) == 100


NAME = "gateway.test"


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[Any, ...]) -> None:
    """Let a name of ours have these addresses: no resolver of a test machine has such names."""
    genuine = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host not in {NAME, NAME.encode()}:
            return genuine(host, port, *rest, **named)
        return [
            (socket.AF_INET6 if ":" in one[0] else socket.AF_INET, socket.SOCK_STREAM, 6, "", one)
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def named(folder: Path) -> Options:
    certificate, key = make_server_certificate(
        folder, "named", x509.DNSName(NAME), timedelta(days=1)
    )
    return Options(certificate=certificate, key=key)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_dead_addresses_of_a_name_are_passed_over(
    position: int, serve: Serve, send_to: SendTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = serve().files.folder
    server = serve(options=named(folder))
    dead = [("::1", server.port, 0, 0), ("127.0.0.2", server.port)]
    dead.insert(position, ("127.0.0.1", server.port))
    resolves_to(monkeypatch, *dead)
    sending = send_to(server)
    sending.endpoint = type(sending.endpoint)(f"https://{NAME}:{server.port}", "a")

    sending.send(10)

    assert len(sending.has(Answer)) == 10


def test_an_address_that_swallows_everything_costs_only_its_share_of_time(
    serve: Serve, send_to: SendTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = serve().files.folder
    server = serve(options=named(folder))
    with socket.create_server(("127.0.0.3", server.port)):  # listens, never shakes hands
        dead = ("127.0.0.3", server.port)
        resolves_to(monkeypatch, dead, ("127.0.0.1", server.port), dead)
        sending = send_to(server)
        sending.endpoint = type(sending.endpoint)(f"https://{NAME}:{server.port}", "a")

        for _ in range(3):
            sending.send(5, seconds=4)

    assert len(sending.has(Answer)) >= 5
    assert sending.has(Ambiguous) == []


def test_a_gateway_on_an_ipv6_address_is_reached(serve: Serve, send_to: SendTo) -> None:
    server = serve(options=Options(host="::1"))
    sending = send_to(server)

    sending.send(10)

    assert len(sending.has(Answer)) == 10
