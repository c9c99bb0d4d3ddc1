"""The chunk protocol in memory against a model of the row: crashes, lost commits, drains."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.chunks.chunk import Ended, Lease, Retried, Step
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.verdict import Decision
from delivery.engine.window import Addressed, Window
from delivery.states import RecipientState
from tests.delivery.engine.chunks import NO_PROVIDER, NO_PUSH, lease_of


@dataclass
class Row:
    """The chunk as PostgreSQL would hold it, with the ledger rows beside it."""

    lease: Lease
    ended: list[int] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    is_gone: bool = False

    def apply(self, step: Step) -> None:
        assert not self.is_gone
        self.ended += [*step.accepted, *(end.position for end in step.ended)]
        assert len(step.gateway_ids) == len(step.accepted)
        self.retried += [retry.position for retry in step.retried]
        size = len(self.lease.device_ids)
        remaining = len(step.open) + size - step.intended
        assert len(self.ended) + len(self.retried) + remaining == size
        self.is_gone = remaining == 0
        self.lease = replace(
            self.lease, intended=step.intended, open=step.open, cursor=self.lease.cursor + 1
        )


class Walk:
    """One worker's walk over a chunk with random answers, cut short at a random moment."""

    def __init__(self, row: Row, rng: random.Random) -> None:
        self.row = row
        self.rng = rng
        self.chunk = OpenChunk(row.lease, 60.0)
        self.flying: list[tuple[Window, int]] = []

    def prepare(self) -> None:
        if self.chunk.next or self.chunk.draining or self.chunk.attempted:
            return
        positions = self.chunk.take(self.rng.randint(1, 5))
        if not positions:
            return
        pushes, ended = [], []
        for position in positions:
            if self.rng.random() < 0.2:
                ended.append(Ended(position, "suppressed", "moved"))
            else:
                pushes.append(Addressed(position, 9, NO_PUSH))
        self.chunk.prepared(Window(positions, pushes, ended, NO_PROVIDER, 0.0, 100.0))

    def record(self) -> bool:
        self.row.apply(self.chunk.build_step())
        return self.chunk.recorded(60.0, 0.0)

    def record_with_lost_commit(self) -> bool:
        # The step is built, COMMIT holds, the answer is lost: outcomes go on arriving meanwhile.
        step = self.chunk.build_step()
        self.answer()
        assert self.chunk.build_step() is step
        self.row.apply(step)
        return self.chunk.recorded(60.0, 0.0)

    def send(self) -> None:
        window = self.chunk.next
        if window is None or self.chunk.attempted:
            return
        if not window.is_intended and not self.chunk.at_least_once:
            return
        if not window.pushes:
            if window.is_intended:
                self.chunk.next = None
            return
        self.chunk.depart(0.0)
        self.row.sent += [push.position for push in window.pushes]
        self.flying += [(window, push.position) for push in window.pushes]

    def answer(self) -> None:
        self.rng.shuffle(self.flying)
        for _ in range(self.rng.randint(0, len(self.flying))):
            window, position = self.flying.pop()
            draw = self.rng.random()
            if draw < 0.2:
                self.chunk.answer(window, Decision(retry=Retried(position, 10.0, "busy", 2)))
            elif draw < 0.4:
                self.chunk.answer(window, Decision(end=Ended(position, "rejected")))
            else:
                self.chunk.accept(window, position, "gateway-id")

    def step(self) -> bool:
        actions: list[Any] = [
            self.prepare, self.record, self.record_with_lost_commit, self.send, self.answer
        ]  # fmt: skip
        return bool(self.rng.choice(actions)())

    def withdraw(self) -> None:
        # The message was paused while its next window waited for its turn.
        if not self.chunk.attempted:
            self.chunk.withdraw()
            self.chunk.drain()


def run(size: int, policy: str, seed: int, crashes: int) -> Row:
    rng = random.Random(seed)
    row = Row(lease_of(size, policy))
    for _ in range(crashes):
        walk = Walk(row, rng)
        if rng.random() < 0.3:
            walk.chunk.drain()
        for _ in range(rng.randint(0, 60)):
            if rng.random() < 0.05:
                walk.withdraw()
            if walk.step():
                break
        if row.is_gone:
            return row
    walk = Walk(row, rng)
    for _ in range(20_000):
        if walk.step() and row.is_gone:
            return row
    raise AssertionError("the walk does not end")


@settings(max_examples=300, deadline=None)
@given(size=st.integers(1, 30), seed=st.integers(0, 2**32), crashes=st.integers(0, 4))
def test_at_most_once_ends_everybody_and_sends_nobody_twice(
    size: int, seed: int, crashes: int
) -> None:
    row = run(size, "at_most_once", seed, crashes)

    assert sorted(row.ended + row.retried) == list(range(size))
    assert len(set(row.sent)) == len(row.sent)


@settings(max_examples=300, deadline=None)
@given(size=st.integers(1, 30), seed=st.integers(0, 2**32), crashes=st.integers(0, 4))
def test_at_least_once_ends_everybody_once(size: int, seed: int, crashes: int) -> None:
    row = run(size, "at_least_once", seed, crashes)

    assert sorted(row.ended + row.retried) == list(range(size))


def test_a_cancelled_rest_ends_with_its_reason() -> None:
    chunk = OpenChunk(lease_of(3, "at_most_once"), 60.0)

    chunk.end_rest(RecipientState.SUPPRESSED, "cancelled")
    step = chunk.build_step()

    assert [(end.position, end.reason) for end in step.ended] == [
        (0, "cancelled"), (1, "cancelled"), (2, "cancelled"),
    ]  # fmt: skip
    assert step.intended == 3
    assert not step.open


def test_what_an_earlier_worker_left_in_doubt_stays_unknown_when_the_rest_is_cancelled() -> None:
    lease = replace(lease_of(3, "at_least_once"), intended=2, open=(1,))
    chunk = OpenChunk(lease, 60.0)

    chunk.end_rest(RecipientState.SUPPRESSED, "cancelled")

    assert [(end.position, end.state, end.reason) for end in chunk.build_step().ended] == [
        (1, "unknown", "unconfirmed"), (2, "suppressed", "cancelled"),
    ]  # fmt: skip


def test_at_least_once_all_that_an_abandoned_chunk_has_may_have_left() -> None:
    lease = replace(lease_of(3, "at_least_once"), intended=1, open=(), is_abandoned=True)
    chunk = OpenChunk(lease, 60.0)

    chunk.drain()
    step = chunk.build_step()

    assert list(chunk.queue) == list(step.open) == [1, 2]
    assert step.intended == 3


def test_an_answer_stays_in_doubt_until_it_is_recorded() -> None:
    chunk = OpenChunk(lease_of(2, "at_least_once"), 60.0)
    push = Addressed(chunk.take(1)[0], 9, NO_PUSH)
    chunk.prepared(Window([0], [push], (), NO_PROVIDER, 0.0, 100.0))
    prepared = chunk.in_doubt()

    chunk.accept(chunk.depart(0.0), 0, "gateway-id")
    answered = chunk.in_doubt()
    chunk.build_step()
    built = chunk.in_doubt()
    chunk.recorded(60.0, 0.0)

    assert (prepared, answered, built, chunk.in_doubt()) == (0, 1, 1, 0)


def test_a_window_is_in_doubt_from_its_intent_on_and_has_none_while_there_is_no_room() -> None:
    chunk = OpenChunk(lease_of(2, "at_most_once"), 60.0)
    push = Addressed(chunk.take(1)[0], 9, NO_PUSH)
    chunk.prepared(Window([0], [push], (), NO_PROVIDER, 0.0, 100.0))

    chunk.may_intend = False
    without = chunk.build_step()
    chunk.recorded(60.0, 0.0)
    before = chunk.in_doubt()
    chunk.may_intend = True
    with_intent = chunk.build_step()
    after = chunk.in_doubt()

    assert (without.intended, list(without.open), before) == (0, [], 0)
    assert (with_intent.intended, list(with_intent.open), after) == (1, [0], 1)


def test_an_intended_window_that_may_not_leave_goes_on_in_a_new_chunk() -> None:
    chunk = OpenChunk(lease_of(2, "at_most_once"), 60.0)
    push = Addressed(chunk.take(1)[0], 9, NO_PUSH)
    chunk.prepared(Window([0], [push], (), NO_PROVIDER, 0.0, 100.0))
    chunk.build_step()
    chunk.recorded(60.0, 0.0)

    chunk.withdraw()
    step = chunk.build_step()

    assert [(retry.position, retry.attempt) for retry in step.retried] == [(0, 1)]
    assert not step.open
    assert chunk.next is None


def test_an_idle_chunk_that_drains_is_released() -> None:
    chunk = OpenChunk(lease_of(3, "at_most_once"), 60.0)

    chunk.drain(2.5)
    step = chunk.build_step()

    assert step.release
    assert step.due_in_seconds == 2.5
    assert chunk.recorded(60.0, 0.0)
