"""What a worker remembers of a chunk, as a value: a real `OpenChunk` frozen, and thawed again."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from delivery.chunks.chunk import Ended, Lease, Retried, Step
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.verdict import Decision
from delivery.engine.window import Addressed, Window
from tests.delivery.engine.chunks import NO_PROVIDER, NO_PUSH, lease_of
from tests.delivery.engine.protocol.rows import Row

GATEWAY_ID = "g"
PREPARED_SECONDS = 100.0


class Prepared(NamedTuple):
    """The window that is prepared: its positions, and who of them is sent to."""

    positions: tuple[int, ...]
    pushes: tuple[int, ...]
    is_intended: bool


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """An `OpenChunk` without its lease and cursor, and without what only decides about moments.

    There is one object for each value, so that worlds may compare them quickly.
    """

    intended: int
    open: tuple[int, ...]
    queue: tuple[int, ...]
    in_hand: tuple[int, ...]
    next: Prepared | None
    departed: tuple[tuple[int, ...], ...]  # the unanswered positions of each window
    sent: tuple[int, ...]
    doubtful: tuple[int, ...]
    decisions: tuple[Decision, ...]
    accepted: tuple[int, ...]
    draining: bool
    attempted: Step | None


_MEMORIES: dict[tuple[object, ...], Memory] = {}


def lease_on(row: Row, policy: str) -> Lease:
    """Return the lease of a chunk as it is when it is claimed."""
    return replace(
        lease_of(len(row.recipients), policy),
        id=row.id,
        attempt=row.attempt,
        intended=row.intended,
        open=row.open,
        cursor=row.cursor,
        fence=row.fence,
        is_abandoned=row.left == 0,
        # A fault of ours may be why somebody is tried again, and ends as soon as another try.
        wait_reason="defect",
    )


def window_of(positions: tuple[int, ...], pushes: tuple[int, ...]) -> Window:
    """Return a prepared window in which all but `pushes` are suppressed."""
    addressed = [Addressed(position, 9, NO_PUSH) for position in pushes]
    ended = [Ended(one, "suppressed", "moved") for one in positions if one not in pushes]
    return Window(list(positions), addressed, ended, NO_PROVIDER, 0.0, PREPARED_SECONDS)


def freeze(chunk: OpenChunk) -> Memory:
    """Return the value of a chunk; what differs only in an order nobody reads is equal."""
    prepared = None
    if chunk.next is not None:
        pushes = tuple(push.position for push in chunk.next.pushes)
        prepared = Prepared(tuple(chunk.next.positions), pushes, chunk.next.is_intended)
    values = (
        chunk.intended,
        tuple(sorted(chunk.open)),
        tuple(chunk.queue),
        tuple(chunk.in_hand),
        prepared,
        tuple(sorted(tuple(sorted(window.unanswered)) for window in chunk.departed)),
        tuple(sorted(chunk.sent)),
        tuple(sorted(chunk.doubtful)),
        tuple(sorted(chunk.decisions, key=_place)),
        tuple(sorted(chunk.accepted)),
        chunk.draining,
        None if chunk.attempted is None else _value_of(chunk.attempted),
    )
    found = _MEMORIES.get(values)
    if found is None:
        found = _MEMORIES[values] = Memory(*values)
    return found


def thaw(memory: Memory, lease: Lease, lease_until: float, kind: type[OpenChunk]) -> OpenChunk:
    """Return a real chunk in the state that was frozen; `lease` is of a chunk without intents."""
    chunk = kind(lease, lease_until)
    chunk.intended = memory.intended
    chunk.open = set(memory.open)
    chunk.queue.clear()
    chunk.queue.extend(memory.queue)
    chunk.in_hand = list(memory.in_hand)
    if memory.next is not None:
        chunk.next = window_of(memory.next.positions, memory.next.pushes)
        chunk.next.is_intended = memory.next.is_intended
    for positions in memory.departed:
        window = window_of(positions, positions)
        window.size, window.pushes = len(positions), ()
        # By position here, for nobody else has a name for them.
        window.unanswered = {one: Addressed(one, 9, NO_PUSH) for one in positions}
        chunk.departed.append(window)
        chunk.flying += window.size
    chunk.sent = set(memory.sent)
    chunk.doubtful = frozenset(memory.doubtful)
    chunk.decisions = list(memory.decisions)
    chunk.accepted = list(memory.accepted)
    chunk.gateway_ids = [GATEWAY_ID] * len(memory.accepted)
    chunk.draining = memory.draining
    chunk.attempted = memory.attempted
    return chunk


def _place(decision: Decision) -> int:
    one = decision.end or decision.retry
    return -1 if one is None else one.position


def _position(one: Ended | Retried) -> int:
    return one.position


def _value_of(step: Step) -> Step:
    return replace(
        step,
        open=tuple(step.open),
        accepted=tuple(sorted(step.accepted)),
        gateway_ids=(GATEWAY_ID,) * len(step.accepted),
        ended=tuple(sorted(step.ended, key=_position)),
        retried=tuple(sorted(step.retried, key=_position)),
        targets=tuple(step.targets),
    )
