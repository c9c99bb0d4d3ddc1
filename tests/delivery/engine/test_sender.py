"""Sending windows: what becomes of outcomes that come late, never or all at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from core.clock import steady_seconds
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.sender import Sender
from delivery.engine.window import Addressed, Window
from delivery.outcome import Accepted, Gone, Outcome, Retry, Scope, Withdrawn
from delivery.push import Encoded, Notification, Push, Report, Unsendable
from delivery.retry import RetryRules
from tests.delivery.engine.chunks import NOW, lease_of

RULES = RetryRules(10.0, 3_600.0, 8)


@dataclass
class Gateway:
    """A provider that keeps what it was given and reports when told to."""

    pushes: list[Encoded] = field(default_factory=list)
    timeout_seconds: float = 0.0
    report: Report | None = None

    def encode(self, push: Push) -> Encoded | Unsendable:
        return Encoded(push, "/", (), (), b"")

    def send(self, pushes: Sequence[Encoded], timeout_seconds: float, report: Report) -> None:
        self.pushes, self.timeout_seconds, self.report = list(pushes), timeout_seconds, report

    def unwritten(self) -> Collection[Report]:
        return [self.report] if self.report and self.pushes else []

    def withdraw(self, report: Report) -> None:
        assert report is self.report
        self.answer(Withdrawn())

    def retire(self) -> None:
        self.pushes = []

    def answer(self, outcome: Outcome) -> None:
        assert self.report is not None
        for push in self.pushes:
            self.report(push, outcome)


def encoded(number: int) -> Encoded:
    push = Push(
        str(UUID(int=number)), "m", f"t{number}", "token", "android", None, Notification(), NOW,
        None, "high",
    )  # fmt: skip
    return Encoded(push, "/", (), (), b"")


def depart(gateway: Gateway, sender: Sender, lease_seconds: float = 60.0) -> OpenChunk:
    chunk = OpenChunk(lease_of(3, "at_most_once"), steady_seconds() + lease_seconds)
    pushes = [Addressed(position, 9, encoded(position)) for position in chunk.take(3)]
    window = Window([0, 1, 2], pushes, (), gateway, 0.0, 100.0)
    window.read_time, window.read_at = NOW, steady_seconds()
    chunk.prepared(window)
    chunk.build_step()
    chunk.recorded(chunk.lease_until, 0.0)
    sender.send(chunk, chunk.depart(steady_seconds()))
    return chunk


def test_recipients_that_wait_alike_stay_together() -> None:
    draws = iter((0.1, 0.5, 0.9))
    gateway = Gateway()
    chunk = depart(gateway, Sender(RULES, lambda: next(draws), 20.0, 5.0))

    gateway.answer(Retry("unavailable", Scope.DEVICE))

    delays = {retry.delay_seconds for retry in chunk.build_step().retried}
    assert len(delays) == 1


def test_an_outcome_that_never_comes_is_given_up_and_then_ignored() -> None:
    gateway = Gateway()
    sender = Sender(RULES, lambda: 0.5, 20.0, 5.0)
    chunk = depart(gateway, sender)

    sender.give_up_late(chunk, steady_seconds() + 21.0)
    in_time = len(chunk.decisions)
    sender.give_up_late(chunk, steady_seconds() + 26.0)
    at_first = len(chunk.decisions)
    sender.give_up_late(chunk, steady_seconds() + 26.0)
    gateway.answer(Accepted())

    assert in_time == at_first == 0
    assert [(end.state, end.reason) for end in chunk.build_step().ended] == [
        ("unknown", "no_outcome")
    ] * 3
    assert (chunk.flying, chunk.departed) == (0, [])


def test_answers_that_wait_when_a_process_wakes_up_are_read_before_anything_is_given_up() -> None:
    gateway = Gateway()
    sender = Sender(RULES, lambda: 0.5, 20.0, 5.0)
    chunk = depart(gateway, sender)

    sender.give_up_late(chunk, steady_seconds() + 3_600.0)
    gateway.answer(Accepted())
    sender.give_up_late(chunk, steady_seconds() + 3_600.0)

    assert sorted(chunk.build_step().accepted) == [0, 1, 2]


def test_nothing_leaves_near_the_end_of_the_lease() -> None:
    gateway = Gateway()
    chunk = depart(gateway, Sender(RULES, lambda: 0.5, 20.0, 5.0), lease_seconds=5.5)

    assert gateway.pushes == []
    assert {retry.reason for retry in chunk.build_step().retried} == {"lease_short"}


def test_a_request_ends_before_the_lease_does() -> None:
    gateway = Gateway()
    depart(gateway, Sender(RULES, lambda: 0.5, 20.0, 5.0), lease_seconds=15.0)

    assert 5.0 < gateway.timeout_seconds <= 10.0


def test_whatever_the_clock_of_this_machine_shows_a_verdict_has_the_databases_time() -> None:
    gateway = Gateway()
    chunk = depart(gateway, Sender(RULES, lambda: 0.5, 20.0, 5.0))

    gateway.answer(Gone("unregistered"))

    assert [verdict.at for verdict in chunk.build_step().targets] == [NOW] * 3


def test_the_hour_for_retries_counts_by_the_databases_clock() -> None:
    gateway = Gateway()
    chunk = depart(gateway, Sender(RULES, lambda: 0.5, 20.0, 5.0))
    # `NOW` was half an hour after the first attempt, whatever year it is here.
    chunk.lease = replace(chunk.lease, first_attempt_at=NOW - timedelta(minutes=30))

    gateway.answer(Retry("unavailable", Scope.DEVICE))

    assert len(chunk.build_step().retried) == 3
