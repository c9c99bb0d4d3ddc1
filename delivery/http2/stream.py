"""One request on its way over a connection."""

from functools import partial

from delivery.http2.response_block import headers_of
from delivery.transport import Ambiguous, Answer, Done, LazyHeaders, NotProcessed, Result

Finished = tuple[Done, Result]
REFUSED = -1


class Stream:
    """What a connection knows of one request.

    `end` is the position in the connection's bytes behind its last one, 0 while some are unsent;
    those are in `rest`, and `window` is how many the peer takes. `status` is 0 before headers.
    """

    __slots__ = ("block", "body", "deadline", "done", "end", "rest", "status", "window")

    def __init__(self, done: Done, deadline: float) -> None:
        self.done = done
        self.deadline = deadline
        self.end = self.status = self.window = 0
        self.block = self.body = self.rest = b""

    def answered(self) -> Finished:
        """Return the gateway's answer."""
        headers = LazyHeaders(partial(headers_of, self.block))
        return self.done, Answer(self.status, headers, self.body)

    def lost(self, words: str, written: int, debug: bytes) -> Finished:
        """Return what the end of the stream means when so many bytes of the connection had left.

        `written` is REFUSED when the gateway says that it has not processed this. A success
        whose body is missing is one all the same.
        """
        if 200 <= self.status < 300:
            return self.answered()
        if written == REFUSED:
            return self.done, NotProcessed("refused", words, debug)
        if not 0 < self.end <= written:
            return self.done, NotProcessed("unsent", words, debug)
        return self.done, Ambiguous(words, debug)
