"""A moment of a message: what is committed, what two workers remember, what gateways have."""

from collections.abc import Iterable
from typing import NamedTuple

from delivery.chunks.chunk import Step
from tests.delivery.engine.protocol.memory import Memory
from tests.delivery.engine.protocol.rows import Books, Row


class Holder(NamedTuple):
    """A worker with a chunk; `left` are the ticks that it believes to have.

    `sent` are the positions whose bytes have left it: the truth, whatever the memory says.
    """

    row: Row  # whom it claimed, under which fence
    cursor: int
    memory: Memory
    left: int
    sent: tuple[int, ...] = ()
    age: int = 0  # ticks since the present step was first tried


class Pending(NamedTuple):
    """A step whose connection broke, and which the server may still carry out, or not."""

    row_id: int
    fence: int
    cursor: int
    step: Step


class State(NamedTuple):
    """`maybe` counts for each recipient the sends that a gateway may have taken."""

    books: Books
    workers: tuple[Holder | None, ...]
    pending: tuple[Pending, ...]
    maybe: tuple[int, ...]

    def put(self, number: int, holder: Holder | None) -> "State":
        """Put a worker in its place."""
        workers = tuple(
            holder if place == number else one for place, one in enumerate(self.workers)
        )
        return self._replace(workers=workers)

    def next_id(self) -> int:
        """Return an id that no chunk has or had as far as anybody remembers."""
        return 1 + max(_ids(self), default=0)


def _ids(state: State) -> set[int]:
    found = {row.id for row in state.books.rows}
    found.update(holder.row.id for holder in state.workers if holder)
    found.update(one.row_id for one in state.pending)
    return found


def is_stale(books: Books, holder: Holder) -> bool:
    """Tell whether somebody else holds the chunk by now, or it is gone."""
    row = books.row(holder.row.id)
    return row is None or row.fence != holder.row.fence


def canonical(state: State, most: int) -> State:
    """Return the one state that stands for all that differ only in names.

    Ids and fences are compared with each other only, a cursor only with its chunk's, and sends
    are counted up to `most`.
    """
    books = state.books
    pending = [one for one in state.pending if books.row(one.row_id)]
    names = {row_id: place for place, row_id in enumerate(sorted(_ids(state)), start=1)}
    cursors = {row.id: row.cursor for row in books.rows}
    fences = _ranks(state, pending)
    rows = [
        Row(names[row.id], row.recipients, row.attempt, row.intended, row.open, 0,
            fences[row.id, row.fence], row.left)
        for row in books.rows
    ]  # fmt: skip
    held = [_canonical_holder(one, names, cursors, fences) for one in state.workers if one]
    late = [
        Pending(
            names[one.row_id],
            fences[one.row_id, one.fence],
            _relative(one.cursor, cursors.get(one.row_id)),
            one.step,
        )
        for one in pending
    ]
    rows.sort()
    held.sort(key=_order)
    late.sort(key=repr)
    return State(
        Books(tuple(rows), books.ledger, books.message, books.expired, books.credential),
        (*held, *[None] * (len(state.workers) - len(held))),
        tuple(late),
        tuple([min(most, count) for count in state.maybe]),
    )


_Ranks = dict[tuple[int, int], int]


def _canonical_holder(
    holder: Holder, names: dict[int, int], cursors: dict[int, int], fences: _Ranks
) -> Holder:
    row, memory = holder.row, holder.memory
    plain = row.plain()._replace(id=names[row.id], fence=fences[row.id, row.fence])
    cursor = _relative(holder.cursor, cursors.get(row.id))
    age = holder.age if memory.attempted else 0
    return Holder(plain, cursor, memory, holder.left, holder.sent, age)


def _relative(cursor: int, present: int | None) -> int:
    # One that is two steps behind never fits again.
    return 0 if present is None else max(-2, cursor - present)


def _ranks(state: State, pending: Iterable[Pending]) -> _Ranks:
    """Return the place of each fence among those of its chunk that anybody remembers."""
    found = {(row.id, row.fence) for row in state.books.rows}
    for holder in state.workers:
        if holder:
            found.add((holder.row.id, holder.row.fence))
    for one in pending:
        found.add((one.row_id, one.fence))
    ranks: _Ranks = {}
    places: dict[int, int] = {}
    for row_id, fence in sorted(found):
        ranks[row_id, fence] = places[row_id] = places.get(row_id, -1) + 1
    return ranks


def _order(holder: Holder) -> tuple[int, int, int]:
    return holder.row.id, holder.row.fence, holder.left
