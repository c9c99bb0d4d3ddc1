"""The connections of one binding: a libcurl multi handle that shares nothing with the others."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

import pycurl

from bench.peers.curl.handle import Handle
from bench.peers.curl.options import Options
from delivery.transport import Done, Endpoint, NotProcessed, Request, Result

Finished = tuple[Done, Result]
_EVENTS = {
    pycurl.POLL_IN: EVENT_READ,
    pycurl.POLL_OUT: EVENT_WRITE,
    pycurl.POLL_INOUT: EVENT_READ | EVENT_WRITE,
}


class Binding:
    """Requests of one endpoint, the surplus waiting in a queue of its own.

    libcurl tells through two callbacks which sockets to watch and when to be called again;
    `selector` is shared by all bindings of a transport.
    """

    def __init__(self, options: Options, endpoint: Endpoint, selector: BaseSelector) -> None:
        self._options = options
        self._endpoint = endpoint
        self._selector = selector
        self._waiting: deque[tuple[Request, Done, float]] = deque()
        self._idle: list[Handle] = []
        self._active: dict[pycurl.Curl, Handle] = {}
        self.due_at = math.inf
        self.used_at = time.monotonic()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, options.connections)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, options.streams)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._forget(fd)
            return
        events = _EVENTS[what]
        if fd in self._selector.get_map():
            self._selector.modify(fd, events, self)
        else:
            self._selector.register(fd, events, self)

    def _forget(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _set_timer(self, milliseconds: int) -> None:
        self.due_at = math.inf if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def in_flight(self) -> int:
        """Return how many requests have no result yet."""
        return len(self._waiting) + len(self._active)

    def submit(self, request: Request, done: Done) -> None:
        """Start a request, or queue it when all streams are taken."""
        self.used_at = time.monotonic()
        deadline = self.used_at + request.timeout_seconds
        if self._waiting or len(self._active) >= self._options.streams:
            self._waiting.append((request, done, deadline))
        else:
            self._start(request, done, request.timeout_seconds)

    def _start(self, request: Request, done: Done, timeout_seconds: float) -> None:
        handle = self._idle.pop() if self._idle else Handle(self._options, self._endpoint)
        handle.load(request, done, timeout_seconds)
        self._active[handle.easy] = handle
        self._multi.add_handle(handle.easy)

    def ready(self, fd: int, events: int) -> None:
        """Let libcurl read and write a socket that is ready."""
        mask = (pycurl.CSELECT_IN if events & EVENT_READ else 0) | (
            pycurl.CSELECT_OUT if events & EVENT_WRITE else 0
        )
        self._multi.socket_action(fd, mask)

    def tick(self) -> None:
        """Let libcurl act on time; to be called when `due_at` has come."""
        self.due_at = math.inf
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def finished(self) -> Iterator[Finished]:
        """Yield what has ended since the last call, then start what waits."""
        left = 1
        while left:
            left, answered, failed = self._multi.info_read()
            for easy in answered:
                handle = self._take(easy)
                yield handle.take_done(), handle.answer()
                self._idle.append(handle)
            for easy, code, words in failed:
                handle = self._take(easy)
                yield handle.take_done(), handle.failure(code, words)
                self._idle.append(handle)
        yield from self._refill()

    def unwritten(self) -> list[Done]:
        """Return the `done` of the requests that libcurl has not been given."""
        return [done for _, done, _ in self._waiting]

    def withdraw(self, is_meant: Callable[[Done], bool]) -> Iterator[Finished]:
        """Take back those of them that are meant; yield a result for each."""
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if is_meant(one[1]):
                yield one[1], NotProcessed("withdrawn", "withdrawn before anything was written")
            else:
                self._waiting.append(one)

    def _take(self, easy: pycurl.Curl) -> Handle:
        self._multi.remove_handle(easy)
        return self._active.pop(easy)

    def _refill(self) -> Iterator[Finished]:
        now = time.monotonic()
        while self._waiting and len(self._active) < self._options.streams:
            request, done, deadline = self._waiting.popleft()
            if deadline <= now:
                yield done, NotProcessed("unsent", "no stream became free in time")
            else:
                self._start(request, done, deadline - now)

    def close(self) -> Iterator[Finished]:
        """End everything; yield a result for each request that had none."""
        for handle in list(self._active.values()):
            self._take(handle.easy)
            yield handle.take_done(), handle.abandoned()
            handle.easy.close()
        while self._waiting:
            yield self._waiting.popleft()[1], NotProcessed("unsent", "closed before sending")
        for handle in self._idle:
            handle.easy.close()
        self._idle.clear()
        self._multi.close()
