"""Whom of a window to send to now: what is on hold waits, and what does not fit goes back; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from delivery.chunks.chunk import Ended
from delivery.credentials.backoff import TRIAL_SECONDS
from delivery.engine import repository
from delivery.engine.ports import Control, Recipient
from delivery.engine.repository import Found
from delivery.engine.superseding import NEWER_FIRST

_POSITION, _PLATFORM = 0, 3  # in what is found of a recipient
_REASON = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `positions` of a window: whom to send to, who ends here, who waits.

    `held` are those on hold, and for how many seconds; `behind` are those for whom a newer message
    goes first.
    """

    positions: Sequence[int]
    recipients: Sequence[Recipient]
    ended: Sequence[Ended]
    held: Sequence[tuple[int, float]] = ()
    behind: Sequence[int] = ()


def cut(found: Sequence[Found], control: Control, most: int) -> Cut:
    """Cut off behind the last of at most `most` recipients that may be sent to.

    After a hold one push of a window is let through to see whether it is taken, until it would
    have been refused; then all are.
    """
    platforms = control.held_platforms if control.held_seconds > -TRIAL_SECONDS else None
    behind = [one[_POSITION] for one in found if one[_REASON] == NEWER_FIRST]
    if not (platforms or behind):
        return _cut_at(found, most)
    wait = control.held_seconds if control.held_seconds > 0 else 0.0
    trials = 0 if wait else 1
    wait = wait or TRIAL_SECONDS + control.held_seconds
    kept: list[Found] = []
    held: list[tuple[int, float]] = []
    for one in found:
        if one[_REASON] == NEWER_FIRST:
            continue
        if one[_REASON] or one[_PLATFORM] not in (platforms or ()):
            kept.append(one)
        elif trials:
            trials -= 1
            kept.append(one)
        else:
            # Whole seconds, for recipients that wait alike go on together.
            held.append((one[_POSITION], float(math.ceil(wait))))
    sent = _cut_at(kept, most)
    is_whole = len(sent.positions) == len(kept)
    last = found[-1][_POSITION] if is_whole else sent.positions[-1]
    held = [one for one in held if one[0] <= last]
    behind = [position for position in behind if position <= last]
    positions = sorted([*sent.positions, *behind, *(position for position, _ in held)])
    return Cut(positions, sent.recipients, sent.ended, held, behind)


def _cut_at(found: Sequence[Found], most: int) -> Cut:
    if len(found) > most:
        found = found[: _end(found, most)]
    recipients, ended = repository.split(found)
    return Cut([one[_POSITION] for one in found], recipients, ended)


def _end(found: Sequence[Found], most: int) -> int:
    for index, one in enumerate(found):
        if not one[_REASON]:
            most -= 1
        if most < 0:
            return index
    return len(found)
