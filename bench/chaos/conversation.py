"""Conversations in memory: a connection, and the bytes of a server that may be scrambled."""

from collections import Counter, deque
from random import Random

from bench.chaos import noise
from bench.chaos.parsing import read_server, whole_streams
from bench.faults import raw
from delivery.http2.connection import Connection
from delivery.http2.frames import PeerError
from delivery.http2.stream import Finished
from delivery.transport import Ambiguous, Answer, Endpoint, Request, Result

_ENDPOINT = Endpoint("https://gateway.example", "a")
_HEADERS = (("apns-topic", "com.example.app"),)


class WrongError(Exception):
    """A result says what did not happen, or there is none, or two."""


class Conversation:
    """One connection and its requests; stream 1 is the first, 3 the second."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._finished: deque[Finished] = deque()
        self._connection = Connection("gateway.example", self._finished)
        self._results: dict[int, list[Result]] = {}
        self._unsent = b""
        self._left = b""
        self._heard = b""

    def run(self, tally: Counter[str]) -> None:
        """Hold it and judge; raises WrongError."""
        random = self._random
        self._hear(
            noise.settings(*([(4, random.choice((0, 5, 65_535)))] * (random.random() < 0.4)))
        )
        for _ in range(random.randint(1, 6)):
            self._submit()
        self._leave(1.0 if random.random() < 0.5 else random.random())
        said, answers = self._script()
        is_clean = random.random() < 0.1
        self._listen(b"".join(said) if is_clean else noise.scramble(random, said))
        if random.random() < 0.3 and not is_clean:
            self._connection.expire(5.0)
        self._leave(random.random())
        # Judged as a line does it: nothing leaves once the end has come.
        self._connection.end("closed")
        self._deliver()
        self._judge(answers if is_clean else {}, tally)

    def _submit(self) -> None:
        if self._connection.room() <= 0:
            return
        number = 2 * len(self._results) + 1
        found = self._results[number] = []
        varying = (("apns-id", f"{number}"),)
        body = bytes(self._random.choice((0, 2, 300, 20_000)))
        request = Request(_ENDPOINT, f"/{number}", _HEADERS, varying, body, 1.0)
        self._connection.open(request, found.append, self._random.choice((1.0, 9.0)))

    def _leave(self, share: float) -> None:
        self._unsent += b"".join(self._connection.out)
        self._connection.out.clear()
        size = round(len(self._unsent) * share)
        self._left += self._unsent[:size]
        self._unsent = self._unsent[size:]
        self._connection.written = len(self._left)

    def _script(self) -> tuple[list[bytes], dict[int, tuple[int, bytes]]]:
        """Return frames of a server without fault, and the answers that are in them."""
        random, streams = self._random, list(self._results)
        lanes: list[list[bytes]] = []
        answers: dict[int, tuple[int, bytes]] = {}
        for stream in streams:
            if random.random() < 0.8:
                body = random.choice((b"", b'{"reason":"Unregistered"}', bytes(3_000)))
                answers[stream] = (random.choice(noise.STATUSES), body)
                lanes.append(noise.answer(random, stream, *answers[stream]))
            else:
                lanes.append([noise.reset(stream, random.choice((0, 2, 7, 8, 11)))])
        said: list[bytes] = []
        while lanes:
            lane = random.choice(lanes)
            said.append(lane.pop(0))
            # Nothing may come between the parts of a header block.
            while lane and lane[0][3] == raw.CONTINUATION:
                said.append(lane.pop(0))
            if random.random() < 0.2:
                said.append(noise.harmless(random, [0]))
            lanes = [one for one in lanes if one]
        if random.random() < 0.2:
            said.append(noise.goodbye(random, streams))
        return said or [noise.settings()], answers

    def _listen(self, data: bytes) -> None:
        """Hear the bytes in pieces, until the connection says that they are no HTTP/2."""
        try:
            while data:
                size = self._random.choice((1, 7, 100, len(data)))
                self._hear(data[:size])
                data = data[size:]
                if self._random.random() < 0.1:
                    self._submit()
                    self._leave(1.0)
        except PeerError as error:
            self._connection.leave(error.code)

    def _hear(self, data: bytes) -> None:
        self._heard += data
        self._connection.receive(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._finished:
            done, result = self._finished.popleft()
            done(result)

    def _judge(self, answers: dict[int, tuple[int, bytes]], tally: Counter[str]) -> None:
        said, whole = read_server(self._heard), whole_streams(self._left)
        for stream, results in self._results.items():
            if len(results) != 1:
                raise WrongError(f"{len(results)} results: {results}")
            result = results[0]
            tally[type(result).__name__] += 1
            if isinstance(result, Answer):
                right = result.status in said.statuses.get(stream, set())
            elif isinstance(result, Ambiguous):
                right = True
            else:
                right = said.refuses(stream) or stream not in whole
            if stream in answers:
                expected = answers[stream]
                right &= isinstance(result, Answer) and (result.status, result.body) == expected
            if not right:
                raise WrongError(f"stream {stream}: {result}")


def converse(seed: str, tally: Counter[str]) -> None:
    """Hold one conversation; raises WrongError, or what the connection should not raise."""
    Conversation(Random(seed)).run(tally)  # noqa: S311 - chance, no secret.
