"""`bench send` in its smallest form: nothing is said about speed here."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.contenders import PEERS, Track, line_up, make_signing_key
from bench.errors import BenchError
from bench.servers.nginx import find_nginx, nginx_sink
from bench.servers.sandbox import SandboxSink, sandbox_sink
from bench.servers.server import Counted, Server
from tests.bench.running import result_of, run

_SERVERS = ["sandbox", "nginx"] if find_nginx() else ["sandbox"]
_SMALL = ("--json", "--pushes", "1000", "--alternations", "1")


def silent(_line: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("server", _SERVERS)
def test_all_senders_are_measured_against_one_server(server: str) -> None:
    done = run("bench.send", *_SMALL, "--server", server)

    found = result_of(done)
    ratios = [f"ratio_cpu_{name}" for name in PEERS]
    assert list(found) == ["ours", *PEERS, *ratios, "server", "versions", "conditions"]
    for name in ("ours", *PEERS):
        assert found[name].keys() == {"pushes_per_second", "cpu_us_per_push"}
        assert found[name]["cpu_us_per_push"] > 0
    assert server in found["server"]
    assert found["conditions"]["body_bytes"] == {"apns": 300, "fcm": 363}


def test_a_distant_server_is_met_over_many_connections() -> None:
    distant = ("--latency", "20", "--streams", "50", "--peers", "none")

    found = result_of(run("bench.send", *_SMALL, *distant))

    assert list(found) == ["ours", "server", "versions", "conditions"]
    assert found["conditions"]["shapes"] == {"ours": "fcm"}


class Forgetful:
    """A sink whose count lacks what it has got."""

    def __init__(self, sink: SandboxSink) -> None:
        self.name, self.url, self.ca = sink.name, sink.url, sink.ca
        self._sink = sink

    def restart_count(self) -> None:
        self._sink.restart_count()

    def count(self, expected: int) -> Counted:
        self._sink.restart_count()
        return self._sink.count(expected)


def test_a_server_that_counted_otherwise_ends_the_benchmark(tmp_path: Path) -> None:
    ours = line_up([], is_distant=False)[0]
    with sandbox_sink(tmp_path, 100) as sink:
        track = Track(Forgetful(sink), make_signing_key(), silent)

        with pytest.raises(BenchError, match="sent 50 pushes and got 50 answers; the server answ"):
            track.run(ours, 50, 10)


def test_a_sender_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    ours = line_up([], is_distant=False)[0]
    with sandbox_sink(tmp_path, 100) as sink:
        track = Track(sink, ("no key", "x", "y"), silent)

        with pytest.raises(BenchError, match=r"bench\.senders ours failed"):
            track.run(ours, 50, 10)


def test_an_unknown_peer_is_refused_by_name() -> None:
    done = run("bench.send", "--peers", "aioapns,gorush")

    assert done.returncode == 2
    assert "'gorush' is none of aioapns, firebase_admin, libcurl" in done.stderr


@contextlib.contextmanager
def started(server: str, folder: Path) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        if server == "nginx":
            yield stack.enter_context(nginx_sink(find_nginx() or "", folder, 100))
        else:
            yield stack.enter_context(sandbox_sink(folder, 100))


@pytest.mark.parametrize("server", _SERVERS)
def test_a_server_ends_with_its_block(server: str, tmp_path: Path) -> None:
    with started(server, tmp_path) as running:
        place = urlsplit(running.url)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname, place.port), 5)
