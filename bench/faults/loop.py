"""One thread that serves sockets, timers and calls from other threads; knows no HTTP."""

import contextlib
import heapq
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar

T = TypeVar("T")
Ready = Callable[[int], None]

_CALL_SECONDS = 10.0


class Timer:
    """A call that is due later; it may be cancelled."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Let it never come."""
        self.call = None


class Loop:
    """Runs until stopped; everything but `call` and `stop` belongs to its own thread.

    What a callback raises is kept in `errors`: a mistake in a script must not stay unseen.
    """

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = count()
        self._calls: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._waker, self._wakened = socket.socketpair()
        self._wakened.settimeout(0)
        self._selector.register(self._wakened, selectors.EVENT_READ, self._drain)
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)
        self._thread.start()

    def watch(self, sock: socket.socket, events: int, ready: Ready) -> None:
        """Call `ready` with the events of a socket; 0 means none are of interest."""
        known = sock in self._selector.get_map()
        if not events:
            if known:
                self._selector.unregister(sock)
        elif known:
            self._selector.modify(sock, events, ready)
        else:
            self._selector.register(sock, events, ready)

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call something once, in `seconds`."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._serial), timer))
        return timer

    def call(self, wanted: Callable[[], T]) -> T:
        """Run something on the loop's thread from another one, and return what it returns."""
        if threading.current_thread() is self._thread:
            return wanted()
        done, box = threading.Event(), list[Any]()

        def run() -> None:
            try:
                box.append(wanted())
            finally:
                done.set()

        self._calls.append(run)
        self._wake()
        if not done.wait(_CALL_SECONDS):
            raise TimeoutError("the fault server does not answer")
        if not box:
            raise RuntimeError("a call on the fault server failed") from self.errors[-1]
        found: T = box[0]
        return found

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        self._wake()
        self._thread.join(_CALL_SECONDS)
        self._selector.close()
        self._waker.close()
        self._wakened.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def _drain(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakened.recv(4096)

    def _run(self) -> None:
        while not self._stopping:
            for key, events in self._selector.select(self._patience()):
                self._try(partial(key.data, events))
            while self._calls:
                self._try(self._calls.popleft())
            while self._timers and self._timers[0][0] <= time.monotonic():
                timer = heapq.heappop(self._timers)[2]
                if timer.call is not None:
                    self._try(timer.call)

    def _patience(self) -> float | None:
        if self._calls:
            return 0.0
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (the next event must be served too)
            self.errors.append(error)
