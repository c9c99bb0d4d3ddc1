"""Every step that may come next: workers, their crashes, PostgreSQL's failures, people, time.

The world chooses only who moves and what becomes of it; what workers do is the workers' code's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from delivery.chunks.chunk import Step
from delivery.engine.recorder import Recorded, standing_of
from tests.delivery.engine.protocol import rows
from tests.delivery.engine.protocol.rows import LEASE, NOBODY, OPEN, Books, Row
from tests.delivery.engine.protocol.state import Holder, Pending, State, is_stale
from tests.delivery.engine.protocol.worker import Code, Worker


class AwayError(Exception):
    """PostgreSQL gave no answer."""


@dataclass(frozen=True, slots=True)
class World:
    """A policy, so many recipients in one chunk, and what may happen to them.

    `answers` of gateways beside `accepted`: `rejected`, `busy`, `unreached`, `timeout`,
    `key refused`. `events`: `crash` of workers and claims of others, `lost` answers of PostgreSQL,
    `late` steps that it carries out when their worker has given up, `suppress`ed recipients,
    `permits` that are far away, a `defect` of preparing, `drain` of a worker, and `pause`,
    `cancel`, `expire` of the message.
    """

    policy: str
    recipients: int
    answers: Sequence[str] = ()
    events: frozenset[str] = frozenset()
    in_doubt_limit: int = 2
    workers: int = 1
    code: Code = field(default_factory=Code)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        made = Worker(self.code, self.policy, self.in_doubt_limit, self.answers, self.events)
        object.__setattr__(self, "worker", made)

    def start(self) -> State:
        """Return the moment after the audience was cut."""
        everybody = tuple(range(self.recipients))
        books = Books((Row(1, everybody, 1, 0, (), 0, 0, NOBODY),), (OPEN,) * self.recipients)
        return State(books, (None,) * self.workers, (), (0,) * self.recipients)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield each next step by name; one with capitals is a failure or somebody's wish."""
        for number, holder in enumerate(state.workers):
            if holder and is_stale(state.books, holder):
                # Nothing is left to it but to find that out, whatever the others do meanwhile.
                yield self._finds_out(state, number, holder)
                return
        yield from self._time(state)
        yield from self._people(state)
        yield from self._late(state)
        yield from self._others(state)
        for number, holder in enumerate(state.workers):
            if holder is None:
                yield from self._claims(state, number)
                return  # the others are idle, too
            yield from self._moves(state, number, holder)

    def _finds_out(self, state: State, number: int, holder: Holder) -> tuple[str, State]:
        # While a step waits nothing leaves.
        is_quiet = holder.memory.attempted is not None or not self.worker.may_send(holder.left)
        assert is_quiet, "might send without holding the chunk"
        alone = state._replace(pending=())
        for after, _, result in self._records(alone, number, holder):
            assert result is not Recorded.COMMITTED, "believes to hold the chunk"
            assert after.books == state.books, "recorded without holding the chunk"
        return "find out", state.put(number, None)

    def _time(self, state: State) -> Iterator[tuple[str, State]]:
        books = state.books
        older = tuple(row.older() for row in books.rows)
        holders = tuple(
            one and one._replace(left=max(0, one.left - 1), age=min(LEASE, one.age + 1))
            for one in state.workers
        )
        yield "tick", state._replace(books=books._replace(rows=older), workers=holders)
        if "expire" in self.events and not books.expired:
            yield "expire", state._replace(books=books._replace(expired=True))
        for row in books.rows:
            if self.code.statements.is_idle(books, row):
                yield "sweep", state._replace(books=rows.end_idle(books, row, self.policy))

    def _people(self, state: State) -> Iterator[tuple[str, State]]:
        books = state.books
        changes: list[tuple[str, Books]] = []
        if "pause" in self.events and books.message == "running":
            changes.append(("PAUSE", books._replace(message="paused")))
        if books.message == "paused":
            changes.append(("RESUME", books._replace(message="running")))
        if "cancel" in self.events and books.message != "cancelled":
            changes.append(("CANCEL", books._replace(message="cancelled")))
        if books.credential == "paused":
            changes.append(("MEND", books._replace(credential="active")))
        for name, changed in changes:
            yield name, state._replace(books=changed)

    def _late(self, state: State) -> Iterator[tuple[str, State]]:
        for number, one in enumerate(state.pending):
            rest = state.pending[:number] + state.pending[number + 1 :]
            without = state._replace(pending=rest)
            yield "vanish", without
            books = self.write(without, one)
            if books is not None:
                yield "late", without._replace(books=books)

    def write(self, state: State, one: Pending) -> Books | None:
        """Return the books with a step written, None when its chunk is not held any more."""
        held = (one.row_id, one.fence, one.cursor)
        statements = self.code.statements
        return rows.record(state.books, held, one.step, statements, state.next_id())

    def _others(self, state: State) -> Iterator[tuple[str, State]]:
        """Let somebody claim a chunk and never be heard of again."""
        for row in state.books.rows:
            if "crash" in self.events and self.code.statements.is_claimable(state.books, row):
                yield "CLAIM LOST", state._replace(books=rows.claim(state.books, row)[0])

    def _claims(self, state: State, number: int) -> Iterator[tuple[str, State]]:
        for row in state.books.rows:
            if self.code.statements.is_claimable(state.books, row):
                books, held = rows.claim(state.books, row)
                claimed = state._replace(books=books)
                memory = self.worker.claims(held._replace(left=row.left))
                yield "claim", claimed.put(number, Holder(held.plain(), held.cursor, memory, LEASE))

    def _moves(self, state: State, number: int, holder: Holder) -> Iterator[tuple[str, State]]:
        row, memory = holder.row, holder.memory
        if "crash" in self.events:
            yield "CRASH", state.put(number, None)
        if "drain" in self.events and not memory.draining:
            drained = holder._replace(memory=self.worker.drains(row, memory))
            yield "STOP", state.put(number, drained)
        for name, opened in self.worker.opens(row, memory, state.books):
            yield name, state.put(number, holder._replace(memory=opened))
        yield from self._departs(state, number, holder)
        for name, after, position, is_ambiguous in self.worker.answered(row, memory):
            maybe = list(state.maybe)
            maybe[row.recipients[position]] -= not is_ambiguous
            kept = state.put(number, holder._replace(memory=after))
            yield name, kept._replace(maybe=tuple(maybe))
        for ended, name, result in self._records(state, number, holder):
            yield name, self._known(ended, number, result)

    def _departs(self, state: State, number: int, holder: Holder) -> Iterator[tuple[str, State]]:
        departed = self.worker.departs(holder.row, holder.memory, holder.left)
        if departed is None:
            return
        maybe = list(state.maybe)
        if departed.positions:
            self._check_send(state, holder, departed.positions)
        for position in departed.positions:
            maybe[holder.row.recipients[position]] += 1
        sent = tuple(sorted({*holder.sent, *departed.positions}))
        kept = state.put(number, holder._replace(memory=departed.memory, sent=sent))
        yield departed.name, kept._replace(maybe=tuple(maybe))

    def _check_send(self, state: State, holder: Holder, positions: Sequence[int]) -> None:
        row = state.books.row(holder.row.id)
        assert row is not None, "sent without holding the chunk"
        assert row.left > 0, "sent after the end of the lease"
        for position in positions:
            recipient = row.recipients[position]
            assert state.books.ledger[recipient] == OPEN, "sent after the end was recorded"
            if self.policy == "at_most_once":
                assert position in row.open, "sent without an intent"
                assert state.maybe[recipient] == 0, "sent twice"

    def _records(
        self, state: State, number: int, holder: Holder
    ) -> Iterator[tuple[State, str, Recorded]]:
        """Yield every course that recording may take, and what it is known to be then."""
        is_repeat = holder.memory.attempted is not None
        for memory, step in self.worker.steps(holder.row, holder.memory):
            held = holder._replace(memory=memory, age=holder.age if is_repeat else 0)
            begun = state.put(number, held)
            courses: list[list[str]] = [[]]
            while courses:
                server = _Server(self, begun, held, step, courses.pop())
                try:
                    result = self.code.settled(server.stands, server.write, is_repeat=is_repeat)
                except AwayError:
                    result = Recorded.AWAY
                courses += server.others
                yield server.state, " ".join(("record", *server.course)), result

    def _known(self, state: State, number: int, result: Recorded) -> State:
        holder = state.workers[number]
        if result is Recorded.AWAY or holder is None:
            return state
        if result is Recorded.LOST:
            return state.put(number, None)
        known = self.worker.knows(holder.row, holder.memory, holder.age)
        if known.memory is None:
            return state.put(number, None)
        sent = tuple(one for one in holder.sent if one not in known.settled)
        return state.put(
            number, Holder(holder.row, holder.cursor + 1, known.memory, known.left, sent)
        )


class _Server:
    """PostgreSQL during one try of a step: follows a course, and lists those not taken."""

    def __init__(
        self, world: World, state: State, holder: Holder, step: Step, course: list[str]
    ) -> None:
        self.state = state
        self.course: list[str] = []
        self.others: list[list[str]] = []
        self._world = world
        self._try = Pending(holder.row.id, holder.row.fence, holder.cursor, step)
        self._given = course
        self._is_begun = False

    def _choose(self, *names: str) -> str:
        place = len(self.course)
        if place < len(self._given):
            name = self._given[place]
        else:
            name = names[0]
            self.others += [[*self.course, other] for other in names[1:]]
        self.course.append(name)
        return name

    def _meanwhile(self) -> None:
        """Let somebody else come between: a try whose connection broke, or another worker."""
        state, world = self.state, self._world
        if not self._is_begun:
            # Whoever comes first has a step of its own.
            self._is_begun = True
            return
        row = state.books.row(self._try.row_id)
        is_free = row is not None and world.code.statements.is_claimable(state.books, row)
        names = ["LATE"] * bool(state.pending)
        names += ["STOLEN"] * (is_free and "crash" in world.events)
        if not names:
            return
        name = self._choose("-", *names)
        if name == "LATE":
            self.state = state._replace(pending=state.pending[1:])
            books = world.write(self.state, state.pending[0])
            self.state = self.state._replace(books=books or state.books)
        elif name == "STOLEN" and row is not None:
            self.state = state._replace(books=rows.claim(state.books, row)[0])

    def stands(self) -> Recorded | None:
        """Read where the chunk stands."""
        self._meanwhile()
        if "lost" in self._world.events and self._choose("read", "AWAY") == "AWAY":
            raise AwayError
        row = self.state.books.row(self._try.row_id)
        present = None if row is None else (row.fence, row.cursor)
        return standing_of(present, self._try.fence, self._try.cursor)

    def write(self) -> bool:
        """Write the step, or fail to."""
        self._meanwhile()
        names = ["written"]
        if "lost" in self._world.events:
            names += ["REFUSED", "ANSWER LOST"]
        if "late" in self._world.events and not self.state.pending:
            names.append("LEFT BEHIND")
        name = self._choose(*names)
        if name == "REFUSED":
            raise AwayError
        if name == "LEFT BEHIND":
            self.state = self.state._replace(pending=(self._try,))
            raise AwayError
        books = self._world.write(self.state, self._try)
        if books is not None:
            self.state = self.state._replace(books=books)
        if name == "ANSWER LOST":
            raise AwayError
        return books is not None
