"""What a worker saw of tokens: how carefully it goes, and what others shall know."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from sqlalchemy import Engine as Database

from core.clock import steady_seconds
from delivery.chunks.chunk import Step
from delivery.engine.open_chunk import OpenChunk
from delivery.guard import service as guard
from delivery.guard.rules import GuardRules
from delivery.guard.tally import Report, Tally
from delivery.states import RecipientState

# What a gateway said about a push that it did not take.
_ANSWERED = frozenset({RecipientState.GONE.value, RecipientState.REJECTED.value})


_Key = tuple[int, int]  # an app and a credential
# Does something with a report where it holds nobody up.
Aside = Callable[[Callable[[Report], None], Report], "Future[None]"]


class TokenWatch:
    """Used by the engine's thread alone. Counts once a step, whatever its size."""

    def __init__(self, rules: GuardRules, database: Database) -> None:
        self._rules = rules
        self._report = partial(guard.tell, database, rules)
        self._tallies: dict[_Key, Tally] = {}
        self._telling: dict[_Key, Future[None]] = {}

    def allowed(self, chunk: OpenChunk) -> int:
        """Return how many pushes may be on their way with the chunk's credential."""
        tally = self._tallies.get(_key(chunk))
        return tally.allowed(steady_seconds()) if tally else self._rules.head_start

    def note(self, chunk: OpenChunk, step: Step) -> None:
        """Count what a recorded step of a chunk says."""
        refused = sum(verdict.state == "suspect" for verdict in step.targets)
        answers = len(step.accepted) + sum(end.state in _ANSWERED for end in step.ended)
        if answers:
            tally = self._tallies.setdefault(_key(chunk), Tally(self._rules))
            tally.is_watched, tally.rests = chunk.is_watched, chunk.guard_rests
            tally.note(steady_seconds(), answers, refused)

    def is_failing(self, chunk: OpenChunk) -> bool:
        """Tell whether nearly all tokens are refused with the chunk's credential."""
        tally = self._tallies.get(_key(chunk))
        return tally is not None and tally.is_failing(steady_seconds())

    def is_asking(self, chunk: OpenChunk) -> bool:
        """Tell whether it is just being found out if the credential must pause."""
        telling = self._telling.get(_key(chunk))
        return telling is not None and not telling.done() and self.is_failing(chunk)

    def tell(self, aside: Aside, *, at_once: bool = False) -> None:
        """Let others know what they shall; mostly nothing. `at_once` when no later call follows."""
        now = steady_seconds()
        for key, tally in list(self._tallies.items()):
            if tally.is_empty(now):
                del self._tallies[key]
                self._telling.pop(key, None)
            elif seen := tally.take_report(now, at_once=at_once):
                report = Report(*key, seen, tally.is_failing(now))
                self._telling[key] = aside(self._report, report)


def _key(chunk: OpenChunk) -> _Key:
    return chunk.lease.message.app_id, chunk.lease.credential_id
