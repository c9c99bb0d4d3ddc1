"""How many exports run in a process at once: each holds a connection as long as it is read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import ExportsBusyError


class ExportSlots:
    """Lets in one export of an app, and `most` of all: slow readers take no place of others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, app_id: int) -> Iterator[None]:
        """Hold a slot; raise `ExportsBusyError` at once when there is none."""
        with self._lock:
            if app_id in self._running:
                raise ExportsBusyError("An export of this app is being read. Wait for its end.")
            if len(self._running) >= self._most:
                raise ExportsBusyError
            self._running.add(app_id)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(app_id)
