"""What PostgreSQL holds of a message, as plain values: what its statements do to chunks.

`test_rows_are_sql.py` proves for every small case that the statements do exactly this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from delivery.chunks.chunk import Step
from delivery.chunks.retry_repository import groups_of

LEASE = 3  # ticks
NOBODY = -1  # ticks of a chunk that was handed back, or never claimed
OPEN = ""  # the end of a recipient that has none yet
# Ends that say more than their state: the gateway did not say so.
EXHAUSTED = "retries_exhausted"


class Row(NamedTuple):
    """One chunk; `left` are the ticks of its lease: at 0 it is over, but was never handed back."""

    id: int
    recipients: tuple[int, ...]
    attempt: int
    intended: int
    open: tuple[int, ...]
    cursor: int
    fence: int
    left: int

    def plain(self) -> "Row":
        """Return who it is, without what changes while it is held."""
        return Row(self.id, self.recipients, self.attempt, 0, (), 0, self.fence, NOBODY)

    def older(self) -> "Row":
        """Return it a tick later."""
        return self._replace(left=self.left - 1) if self.left > 0 else self

    def open_recipients(self) -> list[int]:
        """Return whom it still has."""
        positions = [*self.open, *range(self.intended, len(self.recipients))]
        return [self.recipients[position] for position in positions]

    @property
    def remaining(self) -> int:
        """How many recipients it still has."""
        return len(self.open) + len(self.recipients) - self.intended


class Books(NamedTuple):
    """All that is committed: chunks, ends by recipient, and what the control row says."""

    rows: tuple[Row, ...]
    ledger: tuple[str, ...]
    message: str = "running"
    expired: bool = False
    credential: str = "active"

    def row(self, row_id: int) -> Row | None:
        """Return a chunk, None when it is gone."""
        return next((row for row in self.rows if row.id == row_id), None)

    def swap(self, old: Row, *new: Row) -> "Books":
        """Put chunks in the place of one."""
        return self._replace(rows=tuple(row for row in self.rows if row != old) + new)

    def end(self, ends: dict[int, str]) -> "Books":
        """Write ledger rows; a second one of a recipient is refused by the unique index."""
        for recipient in ends:
            if self.ledger[recipient] != OPEN:
                raise AssertionError(f"recipient {recipient} ends twice")
        ledger = (ends.get(one, state) for one, state in enumerate(self.ledger))
        return self._replace(ledger=tuple(ledger))

    def may_send(self) -> bool:
        """Tell whether the control row lets windows open."""
        return self.message == "running" and self.credential == "active" and not self.expired


def _is_held(row: Row, fence: int, cursor: int, expected: int) -> bool:
    return row.fence == fence and row.cursor == cursor and row.remaining == expected


def is_claimable(books: Books, row: Row) -> bool:
    """Tell whether a worker may claim a chunk: to send, or to let it end."""
    return row.left <= 0 and (books.message == "cancelled" or books.expired or books.may_send())


def claim(books: Books, row: Row) -> tuple[Books, Row]:
    """Lease a chunk under a new fence."""
    held = row._replace(fence=row.fence + 1, left=LEASE)
    return books.swap(row, held), held


def is_idle(books: Books, row: Row) -> bool:
    """Tell whether the sweep may end what is left of a chunk."""
    is_over = books.message == "cancelled" or books.expired or books.credential == "retired"
    return is_over and row.left <= 0


def end_idle(books: Books, row: Row, policy: str) -> Books:
    """End what is left of a chunk that nobody works on."""
    is_late = books.expired and books.message != "cancelled"
    state = "expired" if is_late else "suppressed"
    is_abandoned = policy == "at_least_once" and row.left == 0
    ends = dict.fromkeys(row.open_recipients(), "unknown" if is_abandoned else state)
    ends |= {row.recipients[position]: "unknown" for position in row.open}
    return books.swap(row).end(ends)


@dataclass(frozen=True, slots=True)
class Statements:
    """What may be broken on purpose, to see whether it is noticed."""

    is_held: Callable[[Row, int, int, int], bool] = _is_held
    is_claimable: Callable[[Books, Row], bool] = is_claimable
    is_idle: Callable[[Books, Row], bool] = is_idle


def record(
    books: Books, held: tuple[int, int, int], step: Step, statements: Statements, next_id: int
) -> Books | None:
    """Write a step of (chunk, fence, cursor) in one transaction; None when it is not held."""
    row_id, fence, cursor = held
    row = books.row(row_id)
    if row is None:
        return None
    remaining = len(step.open) + len(row.recipients) - step.intended
    if not statements.is_held(row, fence, cursor, remaining + step.settled()):
        return None
    left = NOBODY if step.release else LEASE
    after = row._replace(
        intended=step.intended, open=tuple(step.open), cursor=row.cursor + 1, left=left
    )
    books = books.swap(row, *([after] if remaining else []))
    books = books.end(ends_of(row, step))
    if step.credential is not None and step.credential.freeze_seconds is None:
        books = books._replace(credential="paused")
    return books._replace(rows=books.rows + retries_of(row, step, next_id))


def ends_of(row: Row, step: Step) -> dict[int, str]:
    """Return the ledger rows of a step by recipient."""
    ends = {row.recipients[position]: "accepted" for position in step.accepted}
    for end in step.ended:
        state = EXHAUSTED if end.reason == EXHAUSTED else end.state
        ends[row.recipients[end.position]] = state
    return ends


def retries_of(row: Row, step: Step, next_id: int) -> tuple[Row, ...]:
    """Return the new chunks of a step."""
    made = []
    for number, ((attempt, _, _, in_doubt), positions) in enumerate(groups_of(step).items()):
        recipients = tuple(row.recipients[position] for position in positions)
        intended = len(positions) if in_doubt else 0
        opened = tuple(range(intended))
        made.append(Row(next_id + number, recipients, attempt, intended, opened, 0, 0, NOBODY))
    return tuple(made)
