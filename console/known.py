"""Whom of those named the app knows. Asks the API; knows no page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.answers import Count
from console.client import Client
from console.errors import ApiRefusedError


@dataclass(frozen=True, slots=True)
class Sifted:
    """People that the app knows, with their count, and those it does not, each in order."""

    known: Sequence[str]
    unknown: Sequence[str]
    count: Count | None


def sift(client: Client, message: Mapping[str, Any]) -> Sifted:
    """Return who of the people a message is to is known; `count` is None when nobody is.

    Raises `ApiError`.
    """
    people: Sequence[str] = message["to"]["people"]
    known, unknown = list(people), set[str]()
    count = None
    # An answer names a hundred of the unknown at most, so they may go in several rounds.
    while known and count is None:
        try:
            count = client.count({**message, "to": {"people": known}})
        except ApiRefusedError as error:
            gone = error.unknown_people() & set(range(len(known)))
            if not gone:
                raise
            unknown |= {known[place] for place in gone}
            known = [name for place, name in enumerate(known) if place not in gone]
    return Sifted(known, [name for name in people if name in unknown], count)
