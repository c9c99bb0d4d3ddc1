"""How the pool opens, keeps and gives up connections."""

import socket
import ssl
import threading
from pathlib import Path

from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Request, Result
from tests.delivery.gathering import drain, pump_until
from tests.delivery.tls.servers import authority, listening, server_context, silent
from tests.fixtures.frame_server import Peer, serving


def request(url: str, name: str = "x", seconds: float = 10.0) -> Request:
    return Request(Endpoint(url, "a"), f"/{name}", (), (), name.encode(), seconds)


def answer(peer: Peer, stream: int) -> None:
    peer.answer(stream)


def test_a_request_that_came_too_late_is_never_written(tmp_path: Path) -> None:
    results: list[Result] = []
    with serving(tmp_path, answer) as server:
        transport = Http2Transport(Options(Route(server.ca)))
        transport.submit(request(server.url), results.append)
        drain(transport)

        transport.submit(request(server.url, "late", seconds=0), results.append)
        drain(transport)

        assert results[1] == NotProcessed("unsent", "no stream became free in time")
        assert server.bodies() == [b"x"]
        transport.close()


def test_after_a_failure_there_is_a_pause(tmp_path: Path) -> None:
    results: list[Result] = []
    dialed = []

    def refuse(plain: socket.socket) -> None:
        dialed.append(plain)

    with listening(refuse) as port:
        transport = Http2Transport(Options(Route(authority(tmp_path / "authority").ca)))
        url = f"https://127.0.0.1:{port}"
        transport.submit(request(url), results.append)
        drain(transport)

        transport.submit(request(url, seconds=0.2), results.append)
        drain(transport)

    assert len(dialed) == 1
    assert results[1] == NotProcessed("connect", "no connection in time")
    transport.close()


def test_a_failure_to_connect_harms_no_connection_that_lives(tmp_path: Path) -> None:
    results: list[Result] = []
    held: list[tuple[Peer, int]] = []

    def hold(peer: Peer, stream: int) -> None:
        if peer.bodies == [b"warm"]:
            peer.answer(stream)
        else:
            held.append((peer, stream))

    with serving(tmp_path, hold) as server:
        transport = Http2Transport(Options(Route(server.ca), streams=1))
        transport.submit(request(server.url, "warm"), results.append)
        drain(transport)
        server._listener.shutdown(socket.SHUT_RDWR)
        server._listener.close()

        transport.submit(request(server.url, "held", seconds=1.5), results.append)
        transport.submit(request(server.url, "waiting", seconds=0.6), results.append)
        drain(transport)

        assert results[1] == NotProcessed("unsent", "no stream became free in time")
        assert results[2] == Ambiguous("timeout")
        transport.close()


def test_a_connection_that_was_told_goodbye_is_left_and_another_opened(tmp_path: Path) -> None:
    results: list[Result] = []

    def answer_and_leave(peer: Peer, stream: int) -> None:
        peer.answer(stream)
        peer.http.close_connection(last_stream_id=stream)

    with serving(tmp_path, answer_and_leave) as server:
        transport = Http2Transport(Options(Route(server.ca)))
        for _ in range(3):
            transport.submit(request(server.url), results.append)
            drain(transport)

        assert [type(one) for one in results] == [Answer] * 3
        assert [peer.bodies for peer in server.peers] == [[b"x"]] * 3
        assert server.peers[0].ended.wait(10)
        transport.close()


def test_a_gateway_that_speaks_no_http2_is_a_matter_of_connecting(tmp_path: Path) -> None:
    results: list[Result] = []
    files = authority(tmp_path / "authority")
    context = server_context(files)

    def speak_http1(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
            silent(tls)

    with listening(speak_http1) as port:
        transport = Http2Transport(Options(Route(files.ca)))
        transport.submit(request(f"https://127.0.0.1:{port}"), results.append)
        drain(transport)
        transport.close()

    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "connect"
    assert results[0].reason.startswith("the gateway broke HTTP/2")


def test_a_client_certificate_that_is_wanting_is_a_matter_of_certificates(tmp_path: Path) -> None:
    results: list[Result] = []
    files = authority(tmp_path / "authority")
    context = server_context(files, "h2")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)

    def demand(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as tls:
            silent(tls)

    with listening(demand) as port:
        transport = Http2Transport(Options(Route(files.ca)))
        transport.submit(request(f"https://127.0.0.1:{port}"), results.append)
        drain(transport)
        transport.close()

    assert isinstance(results[0], NotProcessed)
    assert results[0].fault == "certificate"


def test_a_retired_endpoint_keeps_its_connection_until_it_carries_nothing(tmp_path: Path) -> None:
    results: list[Result] = []
    answers: list[tuple[Peer, int]] = []
    with serving(tmp_path, lambda peer, stream: answers.append((peer, stream))) as server:
        transport = Http2Transport(Options(Route(server.ca)))
        endpoint = Endpoint(server.url, "a")
        transport.retire(endpoint)  # which nobody knows: nothing happens
        transport.submit(request(server.url, seconds=0.5), results.append)
        pump_until(transport, lambda: bool(answers))

        transport.retire(endpoint)
        drain(transport)
        pump_until(transport, server.peers[0].ended.is_set)

        assert results == [Ambiguous("timeout")]
        transport.submit(request(server.url, "after"), results.append)
        pump_until(transport, lambda: len(answers) == 2)
        assert len(server.peers) == 2
        transport.close()


def test_a_connection_made_after_the_close_is_closed(tmp_path: Path) -> None:
    results: list[Result] = []
    files = authority(tmp_path / "authority")
    arrived, closed, ended = threading.Event(), threading.Event(), threading.Event()
    context = server_context(files)

    def shake_hands_late(plain: socket.socket) -> None:
        arrived.set()
        closed.wait(10)
        try:
            with context.wrap_socket(plain, server_side=True) as tls:
                silent(tls)
        finally:
            ended.set()

    with listening(shake_hands_late) as port:
        transport = Http2Transport(Options(Route(files.ca)))
        transport.submit(request(f"https://127.0.0.1:{port}"), results.append)
        pump_until(transport, arrived.is_set)
        transport.close()
        transport.close()
        closed.set()

        assert ended.wait(10)

    assert results == [NotProcessed("unsent", "closed before sending")]


def test_a_failure_to_connect_after_the_close_is_nobodys_matter(tmp_path: Path) -> None:
    results: list[Result] = []
    arrived, closed, ended = threading.Event(), threading.Event(), threading.Event()

    def hang_up_late(plain: socket.socket) -> None:
        arrived.set()
        closed.wait(10)
        plain.recv(65_536)
        ended.set()

    with listening(hang_up_late) as port:
        transport = Http2Transport(Options(Route(authority(tmp_path / "authority").ca)))
        transport.submit(request(f"https://127.0.0.1:{port}"), results.append)
        pump_until(transport, arrived.is_set)
        transport.close()
        closed.set()

        assert ended.wait(10)

    assert results == [NotProcessed("unsent", "closed before sending")]


def test_a_closed_transport_gives_results_however_late_it_is_asked() -> None:
    results: list[Result] = []
    transport = Http2Transport(Options())
    transport.pump(0)
    transport._polled_at = 0.0  # as after a long while
    transport.close()

    transport.submit(request("https://127.0.0.1:1"), results.append)
    transport.pump(0)

    assert results == [NotProcessed("unsent", "the transport is closed")]
