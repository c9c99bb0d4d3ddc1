"""A worker with a chunk: every decision is made by the code that workers run.

`OpenChunk`, `decide`, `apply`, `settled` and the rules of the engine are called on what a memory
was before, and what they leave is the memory after.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from delivery.chunks.chunk import Step
from delivery.engine import defects
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.opener import Opened
from delivery.engine.openings import apply, take_back
from delivery.engine.ports import Control
from delivery.engine.recorder import Recorded, settled
from delivery.engine.sender import LEASE_SHORT, SHORTEST_SECONDS
from delivery.engine.shares import Shares
from delivery.engine.step_rules import may_depart, may_open, sending_seconds
from delivery.engine.verdict import Attempt, Decision, decide
from delivery.engine.window import Window
from delivery.outcome import Outcome, Paused, Rejected, Retry, Scope, Unknown, Withdrawn
from delivery.pacing.standing import Standing
from delivery.retry import RetryRules
from tests.delivery.engine.protocol.memory import (
    GATEWAY_ID,
    Memory,
    freeze,
    lease_on,
    thaw,
    window_of,
)
from tests.delivery.engine.protocol.rows import LEASE, Books, Row, Statements

MARGIN = 1.0
LARGEST_WINDOW = 2
_RULES = RetryRules(1.0, 60.0, max_attempts=2)
_SENT_AT = datetime(2026, 3, 1, tzinfo=UTC)
_FAR_SECONDS = 60.0
# Outcomes by name, and whether the gateway may have taken the push.
_OUTCOMES: dict[str, tuple[Outcome, bool]] = {
    "rejected": (Rejected("bad_device_token"), False),
    "busy": (Retry("unavailable", Scope.DEVICE), False),
    "unreached": (Retry("gateway_unreachable", Scope.CONNECTION, counts=False), False),
    "timeout": (Unknown("timeout"), True),
    "withdrawn": (Withdrawn(), False),
    "key refused": (Paused("unauthorized", "The key was revoked."), False),
}
_CONTROL = Control(
    message_state="running",
    credential_state="active",
    frozen=False,
    killed=False,
    rate_per_second=None,
    quota_per_minute=None,
    provider="fcm",
    environment=None,
    expired=False,
    now=_SENT_AT,
    expires_in_seconds=100.0,
    project_id=None,
    learned_share=None,
    learned_seconds=0.0,
    held_platforms=None,
    held_seconds=0.0,
    hold_reason=None,
    watched=False,
    guard_rests=False,
    pacer=Standing("", 0, "redis", 0.0, 0.0),
)


@dataclass(frozen=True, slots=True)
class Code:
    """The code that decides; a test may put something broken in the place of a part."""

    chunk: type[OpenChunk] = OpenChunk
    may_depart: Callable[..., bool] = may_depart
    settled: Callable[..., Recorded] = settled
    sending_seconds: Callable[..., float | None] = sending_seconds
    decide: Callable[..., Decision] = decide
    statements: Statements = field(default_factory=Statements)


class Departed(NamedTuple):
    """What left; nothing did when the lease was short, or when nobody was to be sent to."""

    name: str
    memory: Memory
    positions: tuple[int, ...] = ()


class Answered(NamedTuple):
    """The answer to one push."""

    name: str
    memory: Memory
    position: int
    is_ambiguous: bool


class Known(NamedTuple):
    """After a step is known to be committed: no memory when the chunk is out of our hands."""

    memory: Memory | None
    left: int
    settled: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """The code of a worker, asked about one chunk at a time; it remembers its own answers."""

    code: Code
    policy: str
    in_doubt_limit: int
    answers: Sequence[str]
    events: frozenset[str]
    _asked: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def claims(self, row: Row) -> Memory:
        """Take a chunk; its lease is as it was before."""
        return freeze(self.code.chunk(lease_on(row, self.policy), float(LEASE)))

    def may_send(self, left: int) -> bool:
        """Tell whether its lease is long enough to send."""
        seconds = self.code.sending_seconds(float(left), MARGIN, SHORTEST_SECONDS, 0.0)
        return seconds is not None

    def drains(self, row: Row, memory: Memory) -> Memory:
        """Be asked to stop."""
        chunk = self._thaw(row, memory)
        chunk.drain()
        return freeze(chunk)

    def opens(self, row: Row, memory: Memory, books: Books) -> Sequence[tuple[str, Memory]]:
        """Prepare: take positions, take what was prepared of them, or take it back."""
        key = ("opens", row, memory, books.message, books.expired, books.credential)
        found: Sequence[tuple[str, Memory]]
        found = self._once(key, lambda: list(self._opens(row, memory, books)))
        return found

    def departs(self, row: Row, memory: Memory, left: int) -> Departed | None:
        """Send the prepared window if it may leave."""
        key = ("departs", row, memory, left)
        found: Departed | None = self._once(key, lambda: self._departs(row, memory, left))
        return found

    def answered(self, row: Row, memory: Memory) -> Sequence[Answered]:
        """Take each answer that may come."""
        found: Sequence[Answered] = self._once(
            ("answers", row, memory), lambda: list(self._answers(row, memory))
        )
        return found

    def steps(self, row: Row, memory: Memory) -> Sequence[tuple[Memory, Step]]:
        """Return the steps that may be recorded now, with what is remembered of the try."""
        found: Sequence[tuple[Memory, Step]]
        found = self._once(("steps", row, memory), lambda: list(self._steps(row, memory)))
        return found

    def knows(self, row: Row, memory: Memory, age: int) -> Known:
        """Learn that the step is committed that was first tried `age` ticks ago."""
        key = ("knows", row, memory, age)
        found: Known = self._once(key, lambda: self._knows(row, memory, age))
        return found

    def _once(self, key: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = ask()
        return found

    def _thaw(self, row: Row, memory: Memory, left: int = 0) -> OpenChunk:
        return thaw(memory, lease_on(row, self.policy), float(left), self.code.chunk)

    def _opens(self, row: Row, memory: Memory, books: Books) -> Iterator[tuple[str, Memory]]:
        chunk = self._thaw(row, memory)
        if may_open(chunk):
            part = Shares([chunk], self.in_doubt_limit).part(chunk)
            for size in range(1, min(LARGEST_WINDOW, part, len(chunk.queue)) + 1):
                chunk = self._thaw(row, memory)
                chunk.take(size)
                yield f"take {size}", freeze(chunk)
        for name, opened in self._prepared(memory.in_hand, control_of(books)):
            chunk = self._thaw(row, memory)
            if opened is None:
                # As the engine does when preparing raises.
                tried = len(chunk.in_hand)
                chunk.put_back(chunk.in_hand)
                defects.isolate(chunk, tried, AssertionError(), _RULES.max_attempts)
            else:
                apply(chunk, opened)
            yield name, freeze(chunk)
        if memory.next and not memory.attempted and not control_of(books).may_send():
            chunk = self._thaw(row, memory)
            take_back(chunk, control_of(books))
            yield "take back", freeze(chunk)

    def _prepared(
        self, positions: tuple[int, ...], control: Control
    ) -> Iterator[tuple[str, Opened | None]]:
        if not positions:
            return
        if not control.may_send():
            yield "open nothing", Opened(control, 0.0)
            return
        yield "open", Opened(control, 0.0, window=window_of(positions, positions))
        if "suppress" in self.events:
            some = window_of(positions, positions[1:])
            yield "open some", Opened(control, 0.0, window=some)
        if "permits" in self.events:
            yield "NO PERMITS", Opened(control, 0.0, wait_seconds=_FAR_SECONDS)
        if "defect" in self.events:
            yield "DEFECT", None

    def _departs(self, row: Row, memory: Memory, left: int) -> Departed | None:
        chunk = self._thaw(row, memory, left)
        has_room = Shares([chunk], self.in_doubt_limit).has_room(chunk)
        if not self.code.may_depart(chunk, has_room=has_room):
            if chunk.next is None or chunk.next.pushes or not chunk.next.is_intended:
                return None
            chunk.next = None
            return Departed("pass", freeze(chunk))
        window = chunk.depart(0.0)
        positions = tuple(push.position for push in window.pushes)
        if not self.may_send(left):
            for position in positions:
                self._answer(chunk, window, position, LEASE_SHORT)
            return Departed("lease short", freeze(chunk))
        window.unanswered = {push.position: push for push in window.pushes}
        return Departed(f"send {positions}", freeze(chunk), positions)

    def _answers(self, row: Row, memory: Memory) -> Iterator[Answered]:
        for place, positions in enumerate(memory.departed):
            for position in positions:
                for name in ("accepted", *self.answers):
                    chunk = self._thaw(row, memory)
                    window = chunk.departed[place]
                    del window.unanswered[position]
                    is_ambiguous = True
                    if name == "accepted":
                        chunk.accept(window, position, GATEWAY_ID)
                    else:
                        outcome, is_ambiguous = _OUTCOMES[name]
                        self._answer(chunk, window, position, outcome)
                    yield Answered(f"{position} {name}", freeze(chunk), position, is_ambiguous)

    def _answer(self, chunk: OpenChunk, window: Window, position: int, outcome: Outcome) -> None:
        attempt = Attempt(
            position=position,
            target_id=9,
            number=chunk.lease.attempt,
            age_seconds=0.0,
            sent_at=_SENT_AT,
            expires_in_seconds=100.0,
            at_least_once=chunk.at_least_once,
        )
        chunk.answer(window, self.code.decide(outcome, attempt, _RULES, 0.0))

    def _steps(self, row: Row, memory: Memory) -> Iterator[tuple[Memory, Step]]:
        for is_near in (True, False):
            chunk = self._thaw(row, memory)
            has_room = Shares([chunk], self.in_doubt_limit).has_room(chunk)
            chunk.may_intend = is_near and has_room
            chunk.build_step()
            after = freeze(chunk)
            assert after.attempted is not None
            yield after, after.attempted
            if memory.attempted or memory.next is None or not has_room:
                return

    def _knows(self, row: Row, memory: Memory, age: int) -> Known:
        chunk, step = self._thaw(row, memory), memory.attempted
        assert step is not None
        chunk.attempted_at = float(-age)
        is_over = chunk.recorded(float(LEASE), 0.0)
        ends = {one.position for one in step.ended} | {one.position for one in step.retried}
        left = max(0, int(chunk.lease_until))
        return Known(None if is_over else freeze(chunk), left, frozenset(ends | {*step.accepted}))


def control_of(books: Books) -> Control:
    """Return the control row as the books say it."""
    return replace(
        _CONTROL,
        message_state=books.message,
        credential_state=books.credential,
        expired=books.expired,
    )
