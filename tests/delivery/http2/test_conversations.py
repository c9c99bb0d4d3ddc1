"""Random conversations with h2 in memory: every schedule ends each request once, and rightly."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bench.faults import raw
from delivery.http2.connection import Connection
from delivery.http2.stream import Finished
from delivery.transport import Answer, Endpoint, Fields, NotProcessed, Request, Result
from tests.delivery.http2.peer import FRAME, LIMIT, LIST, TABLE, WINDOW, Peer

ENDPOINT = Endpoint("https://gateway.example", "a")
SHARED = (("apns-topic", "com.example.app"), ("authorization", "bearer " + "e" * 100))

changes = st.one_of(
    st.tuples(st.just(LIMIT), st.integers(0, 20)),
    st.tuples(st.just(TABLE), st.sampled_from((0, 60, 200, 4_096, 9_000))),
    st.tuples(st.just(WINDOW), st.sampled_from((0, 1, 100, 5_000, 65_535, 1 << 20))),
    st.tuples(st.just(FRAME), st.sampled_from((16_384, 20_000, 1 << 24 - 1))),
    st.tuples(st.just(LIST), st.sampled_from((300, 1_000, 60_000))),
)
pieces = st.sampled_from((1, 9, 50, 1_000, 20_000, 1 << 22, 1 << 22, 1 << 22))
unknown = st.builds(raw.frame, st.integers(10, 255), st.integers(0, 255), st.integers(0, 50))


class Conversation(RuleBasedStateMachine):
    """A connection, its peer, and the bytes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.finished: deque[Finished] = deque()
        self.connection = Connection("gateway.example", self.finished)
        self.peer = Peer()
        self.results: dict[str, list[Result]] = {}
        self.bodies: dict[str, bytes] = {}
        self.breaks = False
        self.expired: set[str] = set()
        self.waiting = b""
        self.flying = b""
        self.coming = b""

    @precondition(lambda self: self.connection.room() > 0)
    @rule(
        size=st.sampled_from((0, 1, 300, 17_000, 70_000)),
        extra=st.sampled_from((0, 100, 2_000, 40_000)),
        shared=st.booleans(),
        seconds=st.integers(1, 3),
        count=st.integers(1, 5),
    )
    def submit(self, size: int, extra: int, seconds: int, count: int, *, shared: bool) -> None:
        for _ in range(min(count, self.connection.room())):
            self._open(size, extra, SHARED if shared else (), seconds)

    def _open(self, size: int, extra: int, headers: Fields, seconds: int) -> None:
        name = f"r{len(self.bodies)}"
        self.bodies[name] = name.encode().ljust(size, b".")[:size]
        varying = (("apns-id", name), ("x-extra", "x" * extra))
        request = Request(ENDPOINT, f"/{name}", headers, varying, self.bodies[name], 1.0)
        found = self.results[name] = list[Result]()
        self.connection.open(request, found.append, seconds)

    @rule(size=pieces)
    def leave(self, size: int) -> None:
        self.waiting += b"".join(self.connection.out)
        self.connection.out.clear()
        self.flying += self.waiting[:size]
        self.connection.written += len(self.waiting[:size])
        self.waiting = self.waiting[size:]

    @rule(size=pieces)
    def arrive(self, size: int) -> None:
        self.peer.take(self.flying[:size])
        self.flying = self.flying[size:]

    @rule(size=pieces)
    def hear(self, size: int) -> None:
        self.coming += self.peer.say()
        self.connection.receive(self.coming[:size])
        self.coming = self.coming[size:]

    @precondition(lambda self: self.peer.may_set)
    @rule(changed=st.lists(changes, min_size=1, max_size=3))
    def change_settings(self, changed: list[tuple[int, int]]) -> None:
        self.peer.set(dict(changed))

    @rule(data=st.data(), size=st.sampled_from((1, 500, 100_000)))
    def open_window(self, data: st.DataObject, size: int) -> None:
        streams = [None, *self.peer.open()]
        self.peer.give(size, data.draw(st.sampled_from(streams)))

    @rule()
    def give_back(self) -> None:
        self.peer.give_back()

    @precondition(lambda self: self.peer.open())
    @rule(
        data=st.data(),
        status=st.sampled_from((200, 200, 400, 410, 503)),
        size=st.sampled_from((0, 2, 900, 20_000)),
        more=st.sampled_from((0, 1, 700, 701, 30_000, 30_001)),
        pad=st.sampled_from((None, 0, 9, 255)),
    )
    def answer(
        self, data: st.DataObject, status: int, size: int, more: int, pad: int | None
    ) -> None:
        stream = data.draw(st.sampled_from(self.peer.open()))
        body = self.peer.entries[stream].name.encode() * size
        if len(body) // max(1, min(16_000, more)) < 1_000:
            self.peer.answer(stream, status, body[:60_000], more=more, pad=pad)

    @precondition(lambda self: self._silent())
    @rule(data=st.data(), status=st.sampled_from((200, 429)))
    def begin_an_answer(self, data: st.DataObject, status: int) -> None:
        self.peer.begin(data.draw(st.sampled_from(self._silent())), status)

    @precondition(lambda self: self._silent())
    @rule(data=st.data())
    def inform(self, data: st.DataObject) -> None:
        self.peer.inform(data.draw(st.sampled_from(self._silent())))

    def _silent(self) -> list[int]:
        return [stream for stream in self.peer.open() if not self.peer.entries[stream].headers]

    @precondition(lambda self: self.peer.open())
    @rule(data=st.data(), code=st.sampled_from((0, 1, 2, 7, 8, 11, 99)))
    def reset(self, data: st.DataObject, code: int) -> None:
        self.peer.reset(data.draw(st.sampled_from(self.peer.open())), code)

    @rule(noise=unknown)
    def say_something_unknown(self, noise: bytes) -> None:
        self.peer.raw(noise)

    @rule(padding=st.binary(min_size=8, max_size=8))
    def ping(self, padding: bytes) -> None:
        self.peer.http.ping(padding)
        self.connection.ping()

    @precondition(lambda self: len(self.peer.entries) > 8 and self.peer.last == raw.LAST_STREAM)
    @rule(data=st.data(), warned=st.booleans())
    def say_goodbye(self, data: st.DataObject, *, warned: bool) -> None:
        if warned:
            self.peer.goaway(raw.LAST_STREAM, b"")
        last = data.draw(st.sampled_from([0, *self.peer.entries]))
        over = [n for n, entry in self.peer.entries.items() if n > last and entry.over]
        if not over:
            self.peer.goaway(last, b'{"reason":"Shutdown"}')

    @rule(now=st.integers(1, 2))
    def expire(self, now: int) -> None:
        open_before = {name for name, found in self.results.items() if not found}
        if not self.connection.expire(now):
            # A late one may still leave: either the connection ends, or it has left at last.
            self.leave(1 << 30)
            assert self.connection.expire(now)
        self.deliver()
        self.expired |= {name for name in open_before if self.results[name]}

    @invariant()
    def deliver(self) -> None:
        while self.finished:
            done, result = self.finished.popleft()
            done(result)

    @invariant()
    def nobody_is_answered_twice(self) -> None:
        assert all(len(found) <= 1 for found in self.results.values())

    @initialize(breaks=st.booleans())
    def decide_how_it_ends(self, *, breaks: bool) -> None:
        self.breaks = breaks

    def teardown(self) -> None:
        """Break the connection, or let the server answer all; then nothing is open any more."""
        if self.breaks:
            self.connection.end("connection lost")
            self.arrive(1 << 30)
            self.deliver()
        while not self.breaks and not self._is_quiet():
            self._serve_all()
        for name, found in self.results.items():
            self._judge(name, found)

    def _serve_all(self) -> None:
        self.leave(1 << 30)
        self.arrive(1 << 30)
        self.peer.give_back()
        for stream in self.peer.open():
            if self.peer.entries[stream].whole:
                self.peer.answer(stream, 200)
            else:
                self.peer.give(100_000, stream)
        self.hear(1 << 30)
        self.deliver()

    def _is_quiet(self) -> bool:
        open_ones = self.peer.open() and not all(self.results.values())
        return not (self.connection.out or self.waiting or self.flying or self.coming or open_ones)

    def _judge(self, name: str, found: list[Result]) -> None:
        assert len(found) == 1, (name, found)
        streams = [n for n, entry in self.peer.entries.items() if entry.name == name]
        if not streams:
            assert isinstance(found[0], NotProcessed), (name, found)
            return
        stream, entry = streams[0], self.peer.entries[streams[0]]
        assert self.bodies[name].startswith(entry.body)
        if isinstance(found[0], Answer):
            cut_short = self.breaks or entry.reset is not None or stream > self.peer.last
            assert entry.answered == found[0].body or (found[0].status == 200 and cut_short)
            assert list(found[0].headers.items()) == entry.headers[: len(found[0].headers)]
            assert str(found[0].status) == entry.headers[0][1]
        elif isinstance(found[0], NotProcessed):
            assert self.peer.says_no(stream) or not entry.whole, (found, entry)
        else:
            unsaid = self.breaks or name in self.expired or entry.reset not in {None, 7}
            assert unsaid, (found, entry)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
