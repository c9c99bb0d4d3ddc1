"""Watching the gateways: how many pushes they have accepted, and when."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from delivery.sandbox.client import ControlClient
from tests.fixtures.sandbox import Sandbox

_PAUSE_SECONDS = 0.05


class Watch:
    """Samples of what was accepted, as (wall clock, count); the count was reached by then."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._control = ControlClient(sandbox.address)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.samples: list[tuple[float, int]] = []

    def _look(self) -> None:
        while not self._over.is_set():
            began = time.time()
            self.samples.append((began, int(self._control.stats()["accepted"])))
            self._over.wait(_PAUSE_SECONDS)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(30)
        self._control.close()

    def most_within(self, seconds: float, since: float = 0.0) -> int:
        """Return the most that was accepted within so many seconds, between two samples."""
        kept = [one for one in self.samples if one[0] >= since]
        most, first = 0, 0
        for at, count in kept:
            while kept[first][0] < at - seconds:
                first += 1
            most = max(most, count - kept[first][1])
        return most


@contextmanager
def watching(sandbox: Sandbox) -> Iterator[Watch]:
    """Watch for a while."""
    watch = Watch(sandbox)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
