"""Whether to connect again: not at once where that has just failed."""

import time

_FIRST_SECONDS = 1.0
_MOST_SECONDS = 60.0


class Gate:
    """Holds off connecting for a second after a failure, twice as long after each further one.

    The SDKs would try again for each request. Gateways take that for an attack.
    """

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._seconds = _FIRST_SECONDS
        self._opens_at = 0.0

    def check(self) -> None:
        """Raise the error of the last try when it is too early for another."""
        if self._error is not None and time.monotonic() < self._opens_at:
            raise self._error

    def failed(self, error: BaseException) -> None:
        """Note that there is no connection, and why."""
        self._error = error
        self._opens_at = time.monotonic() + self._seconds
        self._seconds = min(2 * self._seconds, _MOST_SECONDS)

    def succeeded(self) -> None:
        """Note that there is a connection."""
        self._error, self._seconds = None, _FIRST_SECONDS
