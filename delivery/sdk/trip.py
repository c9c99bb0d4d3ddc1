"""One request on its way through an SDK."""

from dataclasses import dataclass
from typing import Protocol

from delivery.transport import Answer, Request, Result


@dataclass(slots=True, eq=False)
class Trip:
    """How far a request has come: `written` once its last bytes may have left.

    `answer` is the last answer that was seen, whatever the SDK makes of it. `withdrawn` says that
    it shall not leave any more.
    """

    request: Request
    written: bool = False
    answer: Answer | None = None
    withdrawn: bool = False


class UnsupportedError(Exception):
    """The SDK has no words for this request; the message is for people."""


class Client(Protocol):
    """An SDK with connections of its own, to be used within one event loop."""

    async def send(self, trip: Trip) -> Result:
        """Send one request; raise `UnsupportedError` before anything of it is written."""
        ...

    def is_connected(self) -> bool:
        """Tell whether there has been a connection."""
        ...

    async def close(self) -> None:
        """Close the connections; what is under way ends soon."""
        ...
