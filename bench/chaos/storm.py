"""Requests through the pool while a server sends random frames; its record is the judge."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from bench.chaos.parsing import Said
from bench.chaos.server import ChaosServer, Seen, chaos_server
from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Answer, Endpoint, NotProcessed, Request, Result

_ROUND_SECONDS = 5.0
_MARGIN_SECONDS = 3.0
_IN_FLIGHT = 200
_KEPT = 20
_BINDINGS = 16


class Storm:
    """Counts what became of requests, and everything that should not have happened."""

    def __init__(self) -> None:
        self.tally: Counter[str] = Counter()
        self.hangs: list[str] = []
        self.exceptions: list[str] = []
        self.wrong: list[str] = []

    def rage(self, seconds: float, seed: str) -> None:
        """Send in rounds, each with a server and a pool of its own."""
        end, number = time.monotonic() + seconds, 0
        with self._watching_threads():
            while (left := end - time.monotonic()) > 0 and len(self.wrong) < _KEPT:
                self._round(min(left, _ROUND_SECONDS), f"{seed}-{number}")
                number += 1
        self.tally["rounds"] += number

    @contextmanager
    def _watching_threads(self) -> Iterator[None]:
        former = threading.excepthook
        threading.excepthook = lambda failed: self.exceptions.append(repr(failed.exc_value))
        try:
            yield
        finally:
            threading.excepthook = former

    def _round(self, seconds: float, seed: str) -> None:
        with tempfile.TemporaryDirectory(prefix="carillon-chaos-") as folder:
            with chaos_server(Path(folder), seed) as server:
                sender = _Sender(server, Random(seed), self)  # noqa: S311 - chance, no secret.
                sender.send(seconds)
            # Only now the server has read whatever was still under way.
            self._judge(sender.results, server.seen)
            self.tally["connections"] += len(server.seen)

    def _judge(self, results: dict[int, list[Result]], seen: list[Seen]) -> None:
        places: dict[int, list[tuple[Seen, int]]] = {}
        for one in seen:
            for stream, number in one.whole.items():
                places.setdefault(number, []).append((one, stream))
        said = {id(one): one.said() for one in seen}
        for number, found in results.items():
            words = self._fault(found, [(said[id(one)], s) for one, s in places.get(number, [])])
            if words:
                self.wrong.append(f"request {number}: {words}; results {found}")

    def _fault(self, found: list[Result], places: list[tuple[Said, int]]) -> str:
        if len(found) != 1:
            return "not one result"
        if len(places) > 1:
            return "sent twice"
        result = found[0]
        self.tally[type(result).__name__] += 1
        if isinstance(result, Answer):
            is_said = any(result.status in said.statuses.get(one, ()) for said, one in places)
            return "" if is_said else "answered by nobody"
        if isinstance(result, NotProcessed) and places:
            said, stream = places[0]
            return "" if said.refuses(stream) else "read whole, and not refused"
        return ""


class _Sender:
    """Keeps many requests in flight for a while."""

    def __init__(self, server: ChaosServer, random: Random, storm: Storm) -> None:
        self.results: dict[int, list[Result]] = {}
        self._random = random
        self._storm = storm
        # Each has connections of its own, so that a pause of one leaves the others at work.
        self._endpoints = [Endpoint(server.url, f"binding {number}") for number in range(_BINDINGS)]
        route = Route(server.ca, timeout_seconds=2.0)
        self._transport = Http2Transport(Options(route, connections=6, streams=100))

    def send(self, seconds: float) -> None:
        """Send, wait for the last results and close."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end or self._transport.in_flight():
                while self._transport.in_flight() < _IN_FLIGHT and time.monotonic() < end:
                    self._submit()
                self._transport.pump(0.05)
                if time.monotonic() > end + _MARGIN_SECONDS + 2.0:
                    break
            self._transport.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it should not come.
            self._storm.exceptions.append(repr(error))

    def _submit(self) -> None:
        number, random = len(self.results), self._random
        found = self.results[number] = list[Result]()
        timeout = random.choice((0.3, 1.0, 2.0))
        due = time.monotonic() + timeout + _MARGIN_SECONDS

        def done(result: Result) -> None:
            found.append(result)
            if time.monotonic() > due:
                self._storm.hangs.append(f"request {number}: late with {result}")

        body = b"%d " % number + bytes(random.choice((0, 300, 300, 4_000, 20_000)))
        headers = (("apns-topic", f"com.example.app{random.randrange(3)}"),)
        endpoint = random.choice(self._endpoints)
        varying = (("apns-id", f"{number}"),)
        request = Request(endpoint, f"/3/device/{number}", headers, varying, body, timeout)
        self._transport.submit(request, done)
