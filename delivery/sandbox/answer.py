"""One answer of a gateway as a value: what goes on the wire and what the counters call it."""

from dataclasses import dataclass

import orjson

Headers = tuple[tuple[str, str], ...]

JSON_HEADERS: Headers = (("content-type", "application/json; charset=UTF-8"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; ``label`` names it in the statistics."""

    status: int
    label: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its manners: how long it waits, whether it comes, whether it is the last."""

    answer: Answer
    delay_seconds: float = 0.0
    hangs: bool = False
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was read whole; header names are lower case, in the order they came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    query: str = ""
    client: str = ""

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key == name), None)


def json_answer(status: int, label: str, value: object) -> Answer:
    """Build an answer whose body is the value as JSON."""
    return Answer(status, label, JSON_HEADERS, orjson.dumps(value))
