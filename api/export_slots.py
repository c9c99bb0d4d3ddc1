"""How many exports there are in a process at once, and how many of them still hold a connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import ExportsBusyError


class ExportSlots:
    """Lets in one export of an app, `most` of all, and `most_made` that are not yet written."""

    def __init__(self, most: int, most_made: int) -> None:
        self._most = most
        self._most_made = most_made
        self._running: set[int] = set()
        self._made = 0
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, app_id: int) -> Iterator[None]:
        """Hold a place until the file is read; raise `ExportsBusyError` when there is none."""
        with self._lock:
            if app_id in self._running:
                raise ExportsBusyError("Another export of this app is not read to its end yet.")
            if len(self._running) >= self._most:
                raise ExportsBusyError
            self._running.add(app_id)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(app_id)

    @contextmanager
    def making(self) -> Iterator[None]:
        """Hold a place while the file is made; raise `ExportsBusyError` when there is none."""
        with self._lock:
            if self._made >= self._most_made:
                raise ExportsBusyError
            self._made += 1
        try:
            yield
        finally:
            with self._lock:
                self._made -= 1
