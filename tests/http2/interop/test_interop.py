"""Pushes through the HTTP/2 servers of others, whose own records are the count."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Ambiguous, Answer, Endpoint, NotProcessed, Request, Result
from tests.delivery.gathering import drain, pump_until
from tests.http2.interop.programs import Served, apache, granian, hypercorn, nghttpd, nginx

Start = Callable[[Path], AbstractContextManager[Served]]

SERVERS: dict[str, Start] = {
    "nginx": nginx,
    "nghttpd": nghttpd,
    "nghttpd with padding": lambda folder: nghttpd(folder, "-b", "255"),
    "nghttpd with small windows": lambda folder: nghttpd(folder, "-w", "7", "-W", "14"),
    "nghttpd without a header table": lambda folder: nghttpd(folder, "-c", "0"),
    "apache": apache,
    "granian": granian,
    "hypercorn": hypercorn,
}
PUSHES = 3_000
SHARED = (("apns-topic", "com.example.app"), ("authorization", "bearer " + "e" * 200))


class Pushes:
    """Pushes over one pool; each has its own path and body."""

    def __init__(self, served: Served, options: Options) -> None:
        self.transport = Http2Transport(options)
        self.results: dict[int, Result] = {}
        self.sent = 0
        self._endpoint = Endpoint(served.url, "a")

    def submit(self, count: int) -> None:
        """Hand new pushes to the transport."""
        for number in range(self.sent, self.sent + count):
            self.submit_again(number)
        self.sent += count

    def submit_again(self, number: int) -> None:
        """Hand a push to the transport that has been handed to it before."""
        varying = (("apns-id", f"{number:08}"),)
        done = partial(self.results.__setitem__, number)
        request = Request(
            self._endpoint, path_of(number), SHARED, varying, body_of(number).encode(), 20.0
        )
        self.transport.submit(request, done)

    def of(self, kind: type[Result]) -> list[int]:
        """Return the pushes with a result of one kind."""
        return [number for number, one in self.results.items() if isinstance(one, kind)]


def path_of(number: int) -> str:
    return f"/push/{number}"


def body_of(number: int) -> str:
    return f'{{"aps":{{"alert":"push {number}"}},"k":"{"a" * (number % 700)}"}}'


def expected(number: int, entry: str) -> str:
    """Return what a record should say of a push; some hold paths only."""
    return f"{path_of(number)} {body_of(number)}" if " " in entry else path_of(number)


def numbers(entries: list[str]) -> list[int]:
    """Return which pushes a record names, after a look at what it says of each."""
    found = []
    for entry in entries:
        number = int(entry.partition(" ")[0].removeprefix("/push/"))
        assert entry == expected(number, entry)
        found.append(number)
    return found


@contextmanager
def sending(served: Served, connections: int = 4) -> Iterator[Pushes]:
    """Open a pool to a server, and close it before the server ends."""
    pushes = Pushes(served, Options(Route(served.ca), connections=connections))
    try:
        yield pushes
    finally:
        pushes.transport.close()


@pytest.mark.parametrize("server", SERVERS)
def test_thousands_of_pushes_are_each_answered_and_counted_once(
    tmp_path: Path, server: str
) -> None:
    with SERVERS[server](tmp_path / "server") as served, sending(served) as pushes:
        pushes.submit(PUSHES)
        drain(pushes.transport, 60)

        answers = [one for one in pushes.results.values() if isinstance(one, Answer)]
        assert [one.status for one in answers] == [200] * PUSHES
        counted = numbers(served.pushes_when(PUSHES))
        assert sorted(counted) == list(range(PUSHES))


@pytest.mark.parametrize("server", ["nghttpd", "granian", "hypercorn"])
def test_every_answer_belongs_to_its_push(tmp_path: Path, server: str) -> None:
    with SERVERS[server](tmp_path / "server") as served, sending(served, connections=1) as pushes:
        pushes.submit(500)
        drain(pushes.transport, 60)

    for number, answer in pushes.results.items():
        assert isinstance(answer, Answer)
        assert answer.body.decode() == body_of(number)


def _has(results: Mapping[int, Result], count: int) -> bool:
    return len(results) >= count


def send_all(pushes: Pushes, served: Served, count: int, events: list[signal.Signals]) -> list[int]:
    """Send while signals strike; send again what was not processed. Return what was ambiguous."""
    share = count // (len(events) + 1)
    for event in [*events, None]:
        pushes.submit(share)
        # The signal comes while most of them are under way.
        target = pushes.sent - share // 2
        pump_until(pushes.transport, partial(_has, pushes.results, target), 60)
        if event is not None:
            served.tell(event)
    drain(pushes.transport, 60)
    for _ in range(20):
        again = pushes.of(NotProcessed)
        for number in again:
            del pushes.results[number]
            pushes.submit_again(number)
        drain(pushes.transport, 60)
    return pushes.of(Ambiguous)


def test_nginx_reloads_under_load_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    with nginx(tmp_path / "server") as served, sending(served) as pushes:
        ambiguous = send_all(pushes, served, 4_000, [signal.SIGHUP] * 3)

        assert ambiguous == []
        assert len(pushes.of(Answer)) == pushes.sent
        assert sorted(numbers(served.pushes_when(pushes.sent))) == list(range(pushes.sent))


def test_nginx_says_goodbye_every_hundred_requests_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    with nginx(tmp_path / "server", requests=100) as served, sending(served) as pushes:
        ambiguous = send_all(pushes, served, 1_000, [])

        assert ambiguous == []
        assert len(pushes.of(Answer)) == pushes.sent
        assert sorted(numbers(served.pushes_when(pushes.sent))) == list(range(pushes.sent))


def test_apache_hangs_up_when_it_restarts_and_nothing_is_doubled_or_called_what_it_is_not(
    tmp_path: Path,
) -> None:
    with apache(tmp_path / "server") as served, sending(served) as pushes:
        # Apache closes connections with requests on them, some without a goodbye.
        ambiguous = send_all(pushes, served, 3_000, [signal.SIGUSR1] * 2)

        answered = pushes.of(Answer)
        counted = numbers(served.pushes_when(len(answered)))
        assert len(answered) + len(ambiguous) == pushes.sent
        assert len(counted) == len(set(counted))
        # It forgets to record some that it answered; what it recorded twice would be our fault.
        assert len(counted) > pushes.sent // 2


@pytest.mark.parametrize("server", ["nginx", "granian", "hypercorn"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL])
def test_what_is_said_of_pushes_holds_when_a_server_ends_under_load(
    tmp_path: Path, server: str, how: signal.Signals
) -> None:
    with SERVERS[server](tmp_path / "server") as served, sending(served) as pushes:
        pushes.submit(2_000)
        pump_until(pushes.transport, lambda: len(pushes.results) > 500, 60)

        served.tell(how)
        drain(pushes.transport, 60)
        pushes.transport.close()
        served.end()

        counted = numbers(served.pushes())
        assert len(pushes.results) == 2_000
        assert len(counted) == len(set(counted))
        assert not set(counted) & set(pushes.of(NotProcessed))
        # nginx records a push after its answer, so its end may come between.
        assert server == "nginx" or set(pushes.of(Answer)) <= set(counted)
