"""Taking receipts: many together, each with its own answer.

What was opened has arrived: with an `opened` whose arrival nobody reported, a `confirmed` is
stored that is marked as concluded, so that everything else counts rows and need not know. A phone
that reports the arrival later has the last word; the earlier of both times stays.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.ids import delivery_tag, recipient_of
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind
from delivery.receipts import repository
from delivery.receipts.receipt import Fate, Milestone, Receipt
from delivery.receipts.repository import Entry, Key, Known, Place

_KINDS: Mapping[Milestone, Kind] = {
    Milestone.CONFIRMED: Kind.DELIVERY_CONFIRMED,
    Milestone.OPENED: Kind.DELIVERY_OPENED,
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A receipt whose delivery was found."""

    receipt: Receipt
    message: Known
    place: Place
    person_id: int | None

    @property
    def key(self) -> Key:
        return (*self.place, self.receipt.milestone)


def take(connection: Connection, app_id: int, receipts: Sequence[Receipt]) -> list[Fate]:
    """Store receipts and return what became of each, in order.

    A receipt is unknown when nothing was sent to its recipient, or to another device than the one
    that speaks. Times before the message began, which a wrong clock gives, become its beginning.
    """
    placed = _place(connection, app_id, receipts)
    entries = _entries([one for one in placed if one is not None])
    new = repository.add(connection, app_id, list(entries.values()))
    repository.add_counts(connection, app_id, Counter((key[0], key[2]) for key in new))
    _tell(connection, app_id, [entries[key] for key in new])
    # Each of these was reported for the first time, by the first of its receipts.
    first = {key for key in new if not entries[key].is_implied}
    first |= repository.confirm(connection, app_id, _known_arrivals(entries, new))
    fates: list[Fate] = []
    for one in placed:
        if one is None:
            fates.append(Fate.UNKNOWN_DELIVERY)
            continue
        fates.append(Fate.ACCEPTED if one.key in first else Fate.DUPLICATE)
        first.discard(one.key)
    return fates


def _place(
    connection: Connection, app_id: int, receipts: Sequence[Receipt]
) -> list[_Placed | None]:
    """Return each receipt with its message and person; None where there is no such delivery."""
    tags = {tag for one in receipts if (tag := delivery_tag(one.delivery_id))}
    messages: defaultdict[str, list[Known]] = defaultdict(list)
    for message in repository.find_messages(connection, app_id, sorted(tags)):
        messages[message.tag].append(message)
    named = [_named(one, messages.get(delivery_tag(one.delivery_id) or "", ())) for one in receipts]
    wanted = {place: message for one in named if one for message, place in [one]}
    owners = repository.find_owners(connection, app_id, wanted)
    return [
        _Placed(receipt, one[0], one[1], owners[one[1]]) if one and one[1] in owners else None
        for receipt, one in zip(receipts, named, strict=True)
    ]


def _named(receipt: Receipt, messages: Sequence[Known]) -> tuple[Known, Place] | None:
    for message in messages:
        number = recipient_of(receipt.delivery_id, message.public_id)
        if number is None or number.device_id is None:
            continue
        if receipt.device_id in {None, number.device_id}:
            return message, (message.id, number.device_id)
    return None


def _entries(placed: Sequence[_Placed]) -> dict[Key, Entry]:
    """Return what to store by its key: the earliest of each, and arrivals of what was opened."""
    entries: dict[Key, Entry] = {}
    for one in placed:
        _keep(entries, one, one.receipt.milestone, is_implied=False)
    for one in placed:
        if one.receipt.milestone is Milestone.OPENED:
            _keep(entries, one, Milestone.CONFIRMED, is_implied=True)
    return entries


def _keep(
    entries: dict[Key, Entry], one: _Placed, milestone: Milestone, *, is_implied: bool
) -> None:
    key = (*one.place, milestone)
    at = max(one.receipt.at, one.message.started_at)
    before = entries.get(key)
    if before is None or (before.is_implied == is_implied and at < before.at):
        entries[key] = Entry(key, one.message, one.person_id, at, is_implied)


def _known_arrivals(entries: Mapping[Key, Entry], new: Collection[Key]) -> list[Entry]:
    """Return reported arrivals that are stored already, perhaps only as concluded."""
    return [
        one
        for key, one in entries.items()
        if key[2] == Milestone.CONFIRMED and not one.is_implied and key not in new
    ]


def _tell(connection: Connection, app_id: int, new: Sequence[Entry]) -> None:
    for milestone, kind in _KINDS.items():
        facts = [one.to_fact() for one in new if one.key[2] == milestone]
        if facts and outbox.listens(connection, app_id, kind):
            outbox.put(connection, app_id, kind, "receipts", facts)
