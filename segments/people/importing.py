"""Writing the lines of a file: thousands at once, with the end they would have one by one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from segments.identity.names import hold_own_names
from segments.people import repository, service, staging
from segments.people.person import PersonChange
from segments.people.service import Written

_SOURCE = "import"


@dataclass(frozen=True, slots=True)
class Merged:
    """How many lines had which fate, and the lines whose attributes would pass the limit."""

    created: int
    updated: int
    unchanged: int
    too_large: frozenset[int]


def merge_lines(
    connection: Connection, app_id: int, lines: Sequence[tuple[int, PersonChange]]
) -> Merged:
    """Create or merge people; lines about the same person are applied in their order.

    A line that repeats what was said before it counts as `updated`, so that each has one fate.
    """
    own = hold_own_names(connection, app_id, list({change.external_id for _, change in lines}))
    groups: defaultdict[str, list[tuple[int, PersonChange]]] = defaultdict(list)
    for number, change in lines:
        name = own.get(change.external_id)
        line = (number, replace(change, external_id=name) if name else change)
        groups[line[1].external_id].append(line)
    merged = [_one(group) for group in groups.values()]
    if any(map(_is_special, merged)):
        # They are written in two passes: whoever is known is taken in one order before.
        repository.lock(connection, app_id, [change.external_id for change in merged])
    plain = [change for change in merged if not _is_special(change)]
    created, updated, refused = (
        staging.merge(connection, app_id, plain) if plain else (0, 0, set[str]())
    )
    unchanged = len(plain) - created - updated - len(refused)
    others = [change for change in merged if _is_special(change)]
    written = dict(service.write(connection, app_id, others, _SOURCE)) if others else {}
    refused |= {name for name, what in written.items() if what is Written.TOO_LARGE}
    again = _one_by_one(connection, app_id, [groups[name] for name in refused])
    fates = [*written.values(), *again.values()]
    created += fates.count(Written.CREATED)
    too_large = frozenset(line for line, what in again.items() if what is Written.TOO_LARGE)
    updated = len(lines) - created - unchanged - len(too_large)
    return Merged(created, updated, unchanged, too_large)


def _one(group: Sequence[tuple[int, PersonChange]]) -> PersonChange:
    change = group[0][1]
    for _, later in group[1:]:
        change = change.then(later)
    return change


def _is_special(change: PersonChange) -> bool:
    """Tell whether it clears something or says what somebody agrees to: that is rare."""
    return (
        bool(change.consents)
        or None in change.fields.values()
        or None in change.attributes.values()
    )


def _one_by_one(
    connection: Connection, app_id: int, groups: Sequence[Sequence[tuple[int, PersonChange]]]
) -> Mapping[int, Written]:
    """Apply lines that are too much together by themselves: some of them may fit."""
    return {
        line: service.write(connection, app_id, [change], _SOURCE)[change.external_id]
        for group in groups
        for line, change in group
    }
