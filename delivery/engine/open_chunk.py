"""A chunk in work: which recipients are queued, open or answered, and the next step to record."""

from collections import deque
from collections.abc import Sequence

from delivery.chunks.chunk import CredentialVerdict, Ended, Lease, Retried, Step
from delivery.engine.verdict import Decision, doubted, strictest
from delivery.engine.window import Window
from delivery.states import RecipientState

AT_LEAST_ONCE = "at_least_once"


class OpenChunk:
    """The state of one leased chunk in this worker's memory; the truth stays in PostgreSQL.

    Every position is in exactly one place: ended or retried, `open` (its intent is recorded),
    in `next` (prepared), `in_hand` (being prepared), or in `queue`. Moments are monotonic seconds.
    """

    def __init__(self, lease: Lease, lease_until: float) -> None:
        self.lease = lease
        self.lease_until = lease_until
        self.at_least_once = lease.message.policy == AT_LEAST_ONCE
        self.cursor = lease.cursor
        self.intended = lease.intended
        self.open = set(lease.open)
        self.queue: deque[int] = deque(range(lease.intended, len(lease.device_ids)))
        self.in_hand: list[int] = []  # being prepared
        self.window: Window | None = None
        self.next: Window | None = None
        self.departed: list[Window] = []  # those that miss answers
        self.sent: set[int] = set()  # left us, and neither end nor retry is recorded
        self.decisions: list[Decision] = []
        # Taken by the gateway, and what it named each: nearly all, so without objects.
        self.accepted: list[int] = []
        self.gateway_ids: list[str] = []
        self.flying = 0
        self.recorded_at = 0.0
        self.checked_at = 0.0  # when its control row was read last, for what has left
        self.draining = False
        self.release_in_seconds = 0.0
        # How fast it may go, as far as is known, and when to look for permits again.
        self.per_second = lease.message.rate_per_second
        self.open_after = 0.0
        self.may_intend = True  # there is room for the prepared window among those in doubt
        # As the control row said: what becomes of tokens is watched, or somebody answers for it.
        self.is_watched = self.guard_rests = False
        # After a fault of ours: how many to prepare at once, and how many failed alone in a row.
        self.most: int | None = None
        self.loners = 0
        self.attempted: Step | None = None  # built, and not yet known to be committed
        self.attempted_at = 0.0  # when it was tried first
        # Those whom a gateway may have from before this lease, to be sent again all the same.
        self.doubtful: frozenset[int] = frozenset()
        self._recover()

    def _recover(self) -> None:
        # Open positions of an earlier holder are in doubt: the policy decides about them.
        if self.at_least_once:
            # They are sent again, and stay open in the row until they have ended.
            if self.lease.is_abandoned:
                # Without intents nobody knows how far its holder came.
                self.open.update(self.queue)
                self.queue.clear()
            self.queue.extendleft(sorted(self.open, reverse=True))
            self.doubtful = frozenset(self.open)
            return
        for position in sorted(self.open):
            self.decisions.append(Decision(end=_lost_sight_of(position)))

    def in_doubt(self) -> int:
        """Return how many recipients would be in doubt if this worker died now.

        An answer that is not recorded yet would be lost, too. What is only prepared is not in
        doubt: nobody would find an intent of it.
        """
        is_coming = self.next is not None and self.next.is_intended
        return len(self.sent) + (len(self.next.pushes) if self.next and is_coming else 0)

    def waiting(self, now: float) -> bool:
        """Tell whether a window has its permits, and waits for their time."""
        return self.next is not None and now < self.next.not_before

    def take(self, size: int) -> list[int]:
        """Take up to `size` positions off the queue, in hand, and return them."""
        self.in_hand = [self.queue.popleft() for _ in range(min(size, len(self.queue)))]
        return self.in_hand

    def put_back(self, positions: Sequence[int]) -> None:
        """Put positions that were taken back to the front of the queue; none stays in hand."""
        self.queue.extendleft(reversed(positions))
        self.in_hand = []

    def prepared(self, window: Window) -> None:
        """Take a window made of the first positions in hand; the others go back to the queue."""
        self.put_back(self.in_hand[len(window.positions) :])
        self.next = window

    def give_back(self) -> None:
        """Put the prepared window back, unless its intent is recorded: then it must be sent."""
        if self.next is not None and not self.next.is_intended:
            self.put_back(self.next.positions)
            self.next = None

    def withdraw(self) -> None:
        """Take the prepared window back even if its intent is recorded: nothing of it has left.

        Its recipients go on in a new chunk then, for in this one they would be in doubt.
        """
        self.give_back()
        window, self.next = self.next, None
        for push in window.pushes if window else ():
            again = Retried(push.position, 0.0, "", self.lease.attempt)
            self.decisions.append(Decision(retry=again))

    def drain(self, release_in_seconds: float = 0.0) -> None:
        """Open no more windows; hand the chunk back when nothing is on its way."""
        self.draining = True
        self.release_in_seconds = release_in_seconds
        self.give_back()

    def end_rest(self, state: RecipientState, reason: str) -> None:
        """End everything that has not left yet; whom an earlier holder left in doubt stays so."""
        self.give_back()
        for position in self.queue:
            self.decisions.append(Decision(end=Ended(position, state.value, reason)))
        self.queue.clear()

    def depart(self, now: float) -> Window:
        """Turn the prepared window into the one on its way, and return it."""
        window = self.next
        if window is None:
            raise AssertionError("no window is prepared")
        window.sent_at = now
        self.checked_at = max(self.checked_at, window.checked_at)
        if not window.is_intended:
            # No step of its own recorded who is suppressed: the next one does.
            self.decisions.extend(window.decided())
        positions = [push.position for push in window.pushes]
        self.open.update(positions)
        self.sent.update(positions)
        self.departed.append(window)
        self.window, self.next = window, None
        window.size = len(window.pushes)
        self.flying += window.size
        return window

    def answer(self, window: Window, decision: Decision) -> None:
        """Note the outcome of one push of `window`."""
        self._arrived(window)
        self.decisions.append(decision)

    def accept(self, window: Window, position: int, gateway_id: str) -> None:
        """Note that the gateway took one push of `window`, and its name for it."""
        self._arrived(window)
        self.accepted.append(position)
        self.gateway_ids.append(gateway_id)

    def _arrived(self, window: Window) -> None:
        window.answered += 1
        self.flying -= 1
        if window.answered == window.size:
            self.departed.remove(window)

    def has_outcomes(self) -> bool:
        """Tell whether there is something to record beside an intent."""
        return bool(self.accepted or self.decisions)

    def build_step(self, now: float = 0.0) -> Step:
        """Return the step that records all decisions, and the intent of the next window if it may.

        The same step is returned until `recorded` is called.
        """
        if self.attempted is not None:
            return self.attempted
        self.attempted_at = now
        prepared: set[int] = set()
        if self.may_intend and self.next is not None and not self.next.is_intended:
            self.decisions.extend(self.next.decided())
            prepared = {push.position for push in self.next.pushes}
            self.next.is_intended = True
        decisions, self.decisions = self._in_truth(self.decisions), []
        accepted, self.accepted = self.accepted, []
        gateway_ids, self.gateway_ids = self.gateway_ids, []
        ends = [decision.end for decision in decisions if decision.end]
        retries = [decision.retry for decision in decisions if decision.retry]
        done = _positions(accepted, ends, retries)
        left = (self.open - done) | prepared
        self.attempted = Step(
            intended=max(self.intended, _end(left), _end(done)),
            open=sorted(left),
            accepted=accepted,
            gateway_ids=gateway_ids,
            ended=ends,
            retried=retries,
            targets=[decision.target for decision in decisions if decision.target],
            credential=_strictest(decisions),
            release=self.draining and self.next is None and not (self.flying or self.in_hand),
            due_in_seconds=self.release_in_seconds,
        )
        return self.attempted

    def _in_truth(self, decisions: list[Decision]) -> list[Decision]:
        if not self.doubtful:
            return decisions
        return [doubted(one) if _position_of(one) in self.doubtful else one for one in decisions]

    def recorded(self, lease_seconds: float, now: float) -> bool:
        """Note that the attempted step is committed; True when the chunk is out of our hands.

        The lease counts from the first try: nobody knows which of the tries it was that held.
        """
        step = self.attempted
        if step is None:
            return False
        self.attempted = None
        self.cursor += 1
        self.intended = step.intended
        self.open = set(step.open)
        self.sent -= _positions(step.accepted, step.ended, step.retried)
        self.lease_until = self.attempted_at + lease_seconds
        self.recorded_at = now
        is_done = not step.open and step.intended == len(self.lease.device_ids)
        return step.release or is_done


def _lost_sight_of(position: int) -> Ended:
    return Ended(position, RecipientState.UNKNOWN.value, "worker_lost")


def _position_of(decision: Decision) -> int | None:
    one = decision.end or decision.retry
    return one.position if one else None


def _positions(
    accepted: Sequence[int], ends: Sequence[Ended], retries: Sequence[Retried]
) -> set[int]:
    found = set(accepted)
    found.update([end.position for end in ends])
    found.update([retry.position for retry in retries])
    return found


def _end(positions: set[int]) -> int:
    return max(positions, default=-1) + 1


def _strictest(decisions: list[Decision]) -> CredentialVerdict | None:
    found: CredentialVerdict | None = None
    for decision in decisions:
        found = strictest(found, decision.credential)
    return found
