"""Each rule of the protocol is needed: without it the walk through all states finds the damage."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from delivery.chunks.chunk import Step
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.recorder import Recorded
from delivery.engine.step_rules import may_depart
from delivery.engine.verdict import Decision, decide
from delivery.outcome import Retry, Scope, Unknown
from tests.delivery.engine.protocol.cases import (
    ALONE,
    ANSWERS,
    AWAY,
    DYING,
    IN_VAIN,
    PEOPLE,
    Case,
)
from tests.delivery.engine.protocol.exploring import BrokenError, explore, stuck
from tests.delivery.engine.protocol.rows import Books, Row, Statements
from tests.delivery.engine.protocol.worker import Code


class Forgiving(OpenChunk):
    """Sends again whom an earlier holder left in doubt, whatever the policy says."""

    def _recover(self) -> None:
        self.queue.extendleft(sorted(self.open, reverse=True))


class Believing(OpenChunk):
    """Counts its lease from when it learns that a step is committed."""

    def recorded(self, lease_seconds: float, now: float) -> bool:
        self.attempted_at = now
        return super().recorded(lease_seconds, now)


class Forgetful(OpenChunk):
    """Forgets that a gateway may have somebody from an earlier try."""

    def _in_truth(self, decisions: list[Decision]) -> list[Decision]:
        return decisions


class Losing(OpenChunk):
    """Loses whoever is next when it takes others off its queue."""

    def take(self, size: int) -> list[int]:
        if len(self.queue) > size:
            self.queue.popleft()
        return super().take(size)


class Rash(OpenChunk):
    """Takes a window for intended although there is no room for it among those in doubt."""

    def build_step(self, now: float = 0.0) -> Step:
        self.may_intend = True
        return super().build_step(now)


def without_fence(row: Row, _fence: int, cursor: int, expected: int) -> bool:
    return row.cursor == cursor and row.remaining == expected


def without_cursor(row: Row, fence: int, _cursor: int, expected: int) -> bool:
    return row.fence == fence and row.remaining == expected


def without_sum(row: Row, fence: int, cursor: int, _expected: int) -> bool:
    return row.fence == fence and row.cursor == cursor


def claims_what_is_held(books: Books, row: Row) -> bool:
    return books.may_send()


def ends_what_is_held(books: Books, row: Row) -> bool:
    return books.message == "cancelled" or books.expired


def hopes(stands: Callable[[], Any], write: Callable[[], bool], *, is_repeat: bool) -> Recorded:
    """Take a step that has no answer for committed."""
    if is_repeat:
        return Recorded.COMMITTED
    return Recorded.COMMITTED if write() else Recorded.LOST


def without_intent(chunk: OpenChunk, *, has_room: bool) -> bool:
    return bool(chunk.next and chunk.next.pushes and not chunk.attempted)


def while_a_step_waits(chunk: OpenChunk, *, has_room: bool) -> bool:
    return bool(chunk.next and chunk.next.pushes and chunk.next.is_intended)


def without_room(chunk: OpenChunk, *, has_room: bool) -> bool:
    return may_depart(chunk, has_room=True)


def never(chunk: OpenChunk, *, has_room: bool) -> bool:
    return False


def to_the_end(lease_until: float, _margin: float, shortest: float, now: float) -> float | None:
    """Send as long as there is any lease, or a little longer."""
    return math.inf


def tries_again(outcome: Any, *given: Any) -> Decision:
    """Send again what has no answer, whatever the policy says."""
    if isinstance(outcome, Unknown):
        outcome = Retry(outcome.reason, Scope.DEVICE, counts=False)
    return decide(outcome, *given)


def calls_it_refused(outcome: Any, *given: Any) -> Decision:
    """Forget that what has no answer may have arrived."""
    found = decide(outcome, *given)
    if found.retry:
        return replace(found, retry=replace(found.retry, in_doubt=False))
    return found


@dataclass(frozen=True)
class Mutation:
    """A rule that is broken, where that does damage, and what is seen of it."""

    policy: str
    case: Case
    seen: str
    code: dict[str, Any]
    statements: dict[str, Any] = field(default_factory=dict)

    def broken(self) -> Code:
        return Code(**self.code, statements=Statements(**self.statements))


ONCE, AGAIN = "at_most_once", "at_least_once"
MUTATIONS = {
    "no fence": Mutation(ONCE, AWAY, "believes to hold", {}, {"is_held": without_fence}),
    "no cursor": Mutation(ONCE, AWAY, "without an intent", {}, {"is_held": without_cursor}),
    # The sum stands behind defects of ours: with it this one loses nobody.
    "somebody is lost, and the sum is not compared": Mutation(
        ONCE, IN_VAIN, "ended plus open", {"chunk": Losing}, {"is_held": without_sum}
    ),
    "a held chunk is claimed": Mutation(
        ONCE, DYING, "without holding", {}, {"is_claimable": claims_what_is_held}
    ),
    "a held chunk is swept": Mutation(
        ONCE, PEOPLE, "without holding|may have it", {}, {"is_idle": ends_what_is_held}
    ),
    "no answer is taken for a good one": Mutation(
        ONCE, AWAY, "without an intent", {"settled": hopes}
    ),
    "nothing is asked before a window leaves": Mutation(
        ONCE, ALONE, "without an intent", {"may_depart": without_intent}
    ),
    "a window leaves while its intent is being recorded": Mutation(
        ONCE, AWAY, "without an intent", {"may_depart": while_a_step_waits}
    ),
    "the bound of doubt is not asked at least once": Mutation(
        AGAIN, DYING, "more in doubt", {"may_depart": without_room}
    ),
    "the bound of doubt is not asked at most once": Mutation(
        ONCE, DYING, "more in doubt", {"chunk": Rash}
    ),
    "the lease is not asked": Mutation(
        ONCE, DYING, "end of the lease|without holding", {"sending_seconds": to_the_end}
    ),
    "a lease counts from the answer": Mutation(
        ONCE, AWAY, "end of the lease|without holding", {"chunk": Believing}
    ),
    "whoever is in doubt is sent again": Mutation(ONCE, DYING, "twice", {"chunk": Forgiving}),
    "what has no answer is sent again": Mutation(ONCE, ANSWERS, "twice", {"decide": tries_again}),
    "a timeout is forgotten": Mutation(AGAIN, PEOPLE, "may have it", {"decide": calls_it_refused}),
    "a dead worker is forgotten": Mutation(AGAIN, PEOPLE, "may have it", {"chunk": Forgetful}),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_broken_is_seen(name: str) -> None:
    mutation = MUTATIONS[name]

    with pytest.raises(BrokenError, match=mutation.seen):
        explore(mutation.case.of(mutation.policy, mutation.broken()))


def test_the_sum_keeps_a_worker_that_loses_somebody_from_recording_it() -> None:
    found = explore(IN_VAIN.of(ONCE, Code(chunk=Losing)))

    assert all(len(state.books.rows) == 1 for state in found.states)


def test_a_message_that_does_not_end_is_seen() -> None:
    found = explore(ALONE.of(ONCE, Code(may_depart=never)))

    assert stuck(found, with_time=False)
