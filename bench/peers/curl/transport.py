"""A transport on libcurl's multi interface.

It carried the product's first traffic and stays to be measured against. libcurl reports one error
for requests that were processed and for those that were not when a connection dies, so all whose
body it had taken end as ambiguous, refused streams and those beyond GOAWAY's last id too.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from selectors import DefaultSelector

from bench.peers.curl.binding import Binding, Finished
from bench.peers.curl.options import Options
from delivery.transport import Done, Endpoint, NotProcessed, Request


class CurlTransport:
    """Implements `delivery.transport.Transport`; to be used from one thread.

    `ca_file` replaces the system's trust store. Each binding has its own connections, at most
    `connections`, and holds at most `streams` requests open; the others wait their turn. What
    was not used for `idle_seconds` is closed.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        *,
        connect_timeout_seconds: float = 10.0,
        connections: int = 10,
        streams: int = 1_000,
        idle_seconds: int = 3_600,
    ) -> None:
        self._options = Options(
            ca_file, connect_timeout_seconds, connections, streams, idle_seconds
        )
        self._selector = DefaultSelector()
        self._bindings: dict[Endpoint, Binding] = {}
        self._results: deque[Finished] = deque()
        self._retired: set[Endpoint] = set()
        self._closed = False
        self._look_again_at = 0.0

    def submit(self, request: Request, done: Done) -> None:
        """Queue a request; `done` is called exactly once, from within `pump` or `close`."""
        if self._closed:
            self._results.append((done, NotProcessed("unsent", "the transport is closed")))
            return
        binding = self._bindings.get(request.endpoint)
        if binding is None:
            binding = Binding(self._options, request.endpoint, self._selector)
            self._bindings[request.endpoint] = binding
        binding.submit(request, done)

    def pump(self, timeout_seconds: float) -> None:
        """Make progress once; returns at once when nothing is in flight."""
        if not self._closed and not self._results and self.in_flight():
            self._drive(timeout_seconds)
        self._deliver()

    def _drive(self, timeout_seconds: float) -> None:
        due_at = min(binding.due_at for binding in self._bindings.values())
        wait = max(0.0, min(timeout_seconds, due_at - time.monotonic()))
        moved: set[Binding] = set()
        for key, events in self._selector.select(wait):
            key.data.ready(key.fd, events)
            moved.add(key.data)
        now = time.monotonic()
        for binding in self._bindings.values():
            if binding.due_at <= now:
                binding.tick()
                moved.add(binding)
        for binding in moved:
            self._results.extend(binding.finished())
        self._forget_unused(now)

    def _forget_unused(self, now: float) -> None:
        """Close the connections of bindings that nobody uses any more, such as old versions'."""
        if now < self._look_again_at:
            return
        self._look_again_at = now + self._options.idle_seconds / 10
        for endpoint, binding in list(self._bindings.items()):
            idle = endpoint in self._retired or now - binding.used_at > self._options.idle_seconds
            if idle and not binding.in_flight():
                self._retired.discard(endpoint)
                self._results.extend(binding.close())
                del self._bindings[endpoint]

    def _deliver(self) -> None:
        # One at a time, so that a callback that raises does not lose the others' results.
        while self._results:
            done, result = self._results.popleft()
            done(result)

    def retire(self, endpoint: Endpoint) -> None:
        """Let the connections of an endpoint end as soon as they carry nothing."""
        if endpoint in self._bindings:
            self._retired.add(endpoint)

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        held = sum(binding.in_flight() for binding in self._bindings.values())
        return held + len(self._results)

    def unwritten(self) -> list[Done]:
        """Return the `done` of the requests that wait for a stream: of others nobody knows."""
        return [done for binding in self._bindings.values() for done in binding.unwritten()]

    def withdraw(self, is_meant: Callable[[Done], bool]) -> None:
        """End those of them that are meant, as withdrawn."""
        for binding in self._bindings.values():
            self._results.extend(binding.withdraw(is_meant))

    def close(self) -> None:
        """Close all connections; what was in flight ends as ambiguous or not processed."""
        self._closed = True
        for binding in self._bindings.values():
            self._results.extend(binding.close())
        self._bindings.clear()
        self._selector.close()
        self._deliver()
