"""Breadth-first through every state of a world; what must always hold is checked in each."""

from collections import deque
from dataclasses import dataclass, field

from tests.delivery.engine.protocol.rows import OPEN
from tests.delivery.engine.protocol.state import Holder, State, canonical
from tests.delivery.engine.protocol.world import World

# Ends that say that no gateway has it, because nothing was sent or nothing was taken.
_NOBODY_HAS_IT = frozenset({"suppressed", "expired", "retries_exhausted"})


@dataclass(slots=True)
class Explored:
    """All states that can be reached, how, and from which of them an end can be."""

    states: list[State] = field(default_factory=list)
    numbers: dict[State, int] = field(default_factory=dict)
    cameby: list[tuple[int, str]] = field(default_factory=list)
    # Who comes before each state by a step of the system's own; by time running out, apart.
    before: list[list[int]] = field(default_factory=list)
    expiring: list[tuple[int, int]] = field(default_factory=list)
    steps: int = 0

    def path(self, number: int) -> list[str]:
        """Return the names of the steps to a state."""
        names: list[str] = []
        while number:
            number, name = self.cameby[number]
            names.append(name)
        return names[::-1]


class BrokenError(AssertionError):
    """Something that must always hold does not; says how it came to that."""


def explore(world: World, most: int = 2_000_000) -> Explored:
    """Return everything that can happen; raise `BrokenError` with the way to what must not."""
    found = Explored()
    queue: deque[int] = deque()

    def number_of(state: State, before: int, name: str) -> int:
        number = found.numbers.get(state)
        if number is None:
            number = found.numbers[state] = len(found.states)
            assert number < most, "too many states"
            found.states.append(state)
            found.cameby.append((before, name))
            found.before.append([])
            queue.append(number)
        return number

    # Where every answer means that it may have arrived, nobody asks how often.
    most_sends = 1 + any(name not in {"accepted", "timeout"} for name in world.answers)
    number_of(canonical(world.start(), most_sends), 0, "start")
    while queue:
        number = queue.popleft()
        state = found.states[number]
        try:
            check(world, state)
            for name, after in world.steps(state):
                found.steps += 1
                reached = number_of(canonical(after, most_sends), number, name)
                if name == "expire":
                    found.expiring.append((number, reached))
                elif not name.isupper() and not any(word.isupper() for word in name.split()):
                    found.before[reached].append(number)
        except AssertionError as error:
            way = "\n  ".join(found.path(number))
            raise BrokenError(f"{error}\n  {way}\n{state}") from error
    return found


def stuck(found: Explored, *, with_time: bool) -> list[int]:
    """Return the states from which the system does not come to an end by its own steps.

    With time, a message may end by its hard end.
    """
    before = [list(one) for one in found.before]
    if with_time:
        for first, then in found.expiring:
            before[then].append(first)
    ends = [number for number, state in enumerate(found.states) if not state.books.rows]
    alive, todo = set(ends), ends
    while todo:
        for number in before[todo.pop()]:
            if number not in alive:
                alive.add(number)
                todo.append(number)
    return [number for number in range(len(found.states)) if number not in alive]


def check(world: World, state: State) -> None:
    """Check what holds at every moment."""
    books = state.books
    ended = sum(end != OPEN for end in books.ledger)
    rest = [one for row in books.rows for one in row.open_recipients()]
    assert ended + len(rest) == world.recipients, "targeted is not ended plus open"
    assert len(set(rest)) == len(rest), "a recipient is in two places"
    assert all(books.ledger[one] == OPEN for one in rest), "one that has ended is open"
    for end, maybe in zip(books.ledger, state.maybe, strict=True):
        if end == "accepted":
            assert maybe, "the ledger invents an acceptance"
        elif end in _NOBODY_HAS_IT or (end == "rejected" and world.policy == "at_most_once"):
            assert not maybe, f"{end}, although a gateway may have it"
    for holder in state.workers:
        if holder:
            _check_holder(world, state, holder)


def _check_holder(world: World, state: State, holder: Holder) -> None:
    row = state.books.row(holder.row.id)
    if row is None or row.fence != holder.row.fence:
        return
    unrecorded = [one for one in holder.sent if one in row.open or one >= row.intended]
    assert len(unrecorded) <= world.in_doubt_limit, "more in doubt than is allowed"
    if world.policy == "at_most_once":
        assert all(one in row.open for one in unrecorded), "sent without an intent"
