"""The books of one message: what the ledger says, and what the gateways recorded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench.errors import BenchError
from core.ids import delivery_id
from delivery.sandbox.client import Address, ControlClient
from delivery.sandbox.record import pair_hash

_DEVICES = """
SELECT t.device_id, t.token FROM target t JOIN message m ON m.app_id = t.app_id
WHERE m.public_id = %s
"""
_ENDS = """
SELECT l.device_id, l.state, coalesce(l.reason, '') FROM ledger l
JOIN message m ON m.app_id = l.app_id AND m.id = l.message_id WHERE m.public_id = %s
"""
_MESSAGE = """
SELECT targeted, extract(epoch FROM coalesce(finished_at, now()) - created_at), finished_at
FROM message WHERE public_id = %s
"""

End = tuple[str, str]  # a state and its reason


@dataclass(frozen=True, slots=True)
class Books:
    """One message as both sides wrote it down; pushes go by their names on the wire."""

    targeted: int
    is_finished: bool
    seconds: float  # from its creation to its recorded end, by the database's clock
    ends: Mapping[str, End]
    rows: int  # of the ledger: more than `ends` when somebody ended twice
    at_gateways: set[str]
    duplicates: int  # by the gateways' own count


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What follows from the books."""

    targeted: int
    terminal: int
    accepted: int
    accepted_at_gateway: int
    lost: int
    duplicates: int
    unknown: int
    ended_twice: int
    contradicted: int
    other_ends: Mapping[str, int] = field(default_factory=dict)
    unknown_reasons: Mapping[str, int] = field(default_factory=dict)


def reckon(books: Books) -> Reckoning:
    """Count what became of everybody.

    `lost`: without a terminal state, or accepted in the ledger and never at a gateway.
    `contradicted`: accepted at a gateway, and the ledger says that it was not.
    """
    accepted = _of(books, "accepted")
    unknown = _of(books, "unknown")
    others = Counter(
        f"{state}({reason})" for state, reason in books.ends.values()
        if state not in ("accepted", "unknown")
    )  # fmt: skip
    at_gateways = books.at_gateways
    ended = books.ends.keys()
    without_end = max(0, books.targeted - len(ended))
    return Reckoning(
        targeted=books.targeted,
        terminal=len(ended),
        accepted=len(accepted),
        accepted_at_gateway=len(at_gateways),
        lost=without_end + len(accepted - at_gateways),
        duplicates=books.duplicates,
        unknown=len(unknown),
        ended_twice=books.rows - len(ended),
        contradicted=len((at_gateways & ended) - accepted - unknown),
        other_ends=dict(others),
        unknown_reasons=dict(Counter(books.ends[name][1] for name in unknown)),
    )


def _of(books: Books, wanted: str) -> set[str]:
    return {name for name, (state, _) in books.ends.items() if state == wanted}


def read_books(database_url: str, sandbox: Address, message_id: str) -> Books:
    """Read both sides: the gateways saw nothing but this message, and nothing is on its way."""
    url = database_url.replace("+psycopg", "", 1)
    with psycopg.connect(url) as connection:
        tokens = connection.execute(_DEVICES, (message_id,)).fetchall()
        rows = connection.execute(_ENDS, (message_id,)).fetchall()
        message: Any = connection.execute(_MESSAGE, (message_id,)).fetchone()
    names = {device: delivery_id(message_id, device) for device, _ in tokens}
    with ControlClient(sandbox) as control:
        pairs, duplicates = control.pairs(), control.stats()["duplicates"]
    at_gateways = {
        names[device] for device, token in tokens if pair_hash(token, names[device]) in pairs
    }
    if len(at_gateways) != len(pairs):
        raise BenchError("the gateways accepted pushes that nobody was meant to get")
    ends = {names[device]: (state, reason) for device, state, reason in rows}
    targeted, seconds, finished_at = message
    is_finished = finished_at is not None
    return Books(
        targeted or 0, is_finished, float(seconds), ends, len(rows), at_gateways, duplicates
    )
