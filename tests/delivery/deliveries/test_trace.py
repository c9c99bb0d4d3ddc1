"""What a trace says: the truth about every end, and what an open recipient waits for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from delivery.deliveries.trace import Attempt, Recipient, steps, summary
from delivery.messages.message import Message
from delivery.receipts.receipt import Reached
from delivery.states import MessageState

_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_MESSAGE = Message(
    app_id=1,
    id=2,
    public_id="msg_a",
    day=date(2026, 3, 1),
    lane="campaign",
    type="push",
    state=MessageState.RUNNING,
    policy="at_most_once",
    content={"title": "Hello"},
    audience={},
    ttl_seconds=3_600,
    collapse_id=None,
    priority="high",
    rate_per_second=None,
    weight=1,
    send_at=_AT,
    expires_at=_AT + timedelta(hours=1),
    targeted=1_000,
    failed_reason=None,
    is_test=False,
    replay_of=None,
    created_at=_AT,
    updated_at=_AT,
    started_at=_AT,
    first_pass_at=None,
    finished_at=None,
)
_OPEN = Recipient(
    state="pending",
    reason=None,
    gateway=None,
    attempt=1,
    at=None,
    device_id=7,
    person_id=8,
    words=None,
    due_at=_AT + timedelta(minutes=1),
    first_attempt_at=None,
    is_under_way=False,
    is_held=False,
    awaits_permit=False,
)
_TURN = "Its turn has not come yet."
_LOST = "Its worker was lost while it was on its way; the next worker settles it."
_PREPARED = ["claimed", "rendered", "paced"]


def ended(state: str, reason: str | None, attempt: int = 1) -> Recipient:
    return replace(
        _OPEN, state=state, reason=reason, attempt=attempt, at=_AT + timedelta(seconds=9),
        due_at=None,
    )  # fmt: skip


def test_what_the_phone_reported_comes_last_and_stands_in_the_summary() -> None:
    end = ended("unknown", "timeout")
    at = _AT + timedelta(minutes=1)
    arrived = Reached("confirmed", at, is_implied=False)
    reached = [arrived, Reached("opened", at, is_implied=False)]

    found = steps(_MESSAGE, end, (), reached)

    assert [(step.name, step.at) for step in found[-2:]] == [("receipt", at), ("receipt", at)]
    assert found[-3].name == "unanswered"
    assert "opened" not in found[-3].words
    assert summary(_MESSAGE, end, [arrived]) == (
        f"{summary(_MESSAGE, end)} The phone reported that it arrived."
    )
    assert summary(_MESSAGE, end, reached).endswith("The phone reported that it was opened.")


def names(recipient: Recipient, *attempts: Attempt) -> list[str]:
    found = steps(_MESSAGE, recipient, attempts)
    assert [step.name for step in found[:2]] == ["queued", "planned"]
    return [step.name for step in found[2:]]


@pytest.mark.parametrize(
    ("state", "reason", "attempt", "expected"),
    [
        ("accepted", None, 1, [*_PREPARED, "sent", "answered"]),
        ("gone", "unregistered", 1, [*_PREPARED, "sent", "answered"]),
        ("rejected", "retries_exhausted", 5, [*_PREPARED, "sent", "answered"]),
        ("rejected", "too_large", 1, [*_PREPARED, "rejected"]),
        ("unknown", "connection_lost", 1, [*_PREPARED, "sent", "unanswered"]),
        ("unknown", "worker_lost", 1, [*_PREPARED, "sent", "unanswered"]),
        ("expired", "ttl", 1, ["expired"]),
        ("expired", "unavailable", 1, [*_PREPARED, "sent", "expired"]),
        ("expired", "gateway_unreachable", 1, [*_PREPARED, "expired"]),
        ("expired", "collapse_budget", 1, ["claimed", "rendered", "expired"]),
        ("suppressed", "no_device", 0, ["suppressed"]),
        ("suppressed", "cancelled", 1, ["suppressed"]),
        ("suppressed", "moved", 1, ["claimed", "suppressed"]),
        ("suppressed", "render_error", 1, ["claimed", "suppressed"]),
        ("suppressed", "skipped_by_template", 1, ["claimed", "suppressed"]),
        ("suppressed", "too_large", 1, ["claimed", "rendered", "suppressed"]),
    ],
)
def test_no_step_is_told_that_was_not_taken(
    state: str, reason: str | None, attempt: int, expected: list[str]
) -> None:
    assert names(ended(state, reason, attempt)) == expected


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("worker_lost", "It was handed to the gateway, or was about to be."),
        ("connection_lost", "It was handed to the gateway."),
    ],
)
def test_what_nobody_knows_to_have_left_is_not_said_to_have(reason: str, words: str) -> None:
    found = steps(_MESSAGE, ended("unknown", reason), ())

    assert found[-2].words == words


def test_a_retry_is_claimed_once() -> None:
    tried = Attempt(1, "unavailable", _AT + timedelta(seconds=2), _AT + timedelta(seconds=5))

    assert names(ended("accepted", None, 2), tried) == [
        "claimed", "retried", "rendered", "paced", "sent", "answered",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "rate", "expected"),
    [
        ({}, None, _TURN),
        ({}, 2.5, f"{_TURN} The message goes at no more than 2.5 a second."),
        (
            {"awaits_permit": True}, None,
            f"{_TURN} Limits and quotas let it go on at 2026-03-01 12:01:00 UTC.",
        ),
        (
            {"is_held": True}, None,
            "A worker has it in hand; no answer has been recorded yet.",
        ),
        (
            {"reason": "message_paused", "is_held": True}, 5.0,
            "The message is paused; resume it to go on.",
        ),
        (
            {"reason": "kill_switch", "words": "A kill switch stops this app: fire."}, None,
            "A kill switch stops this app: fire.",
        ),
        (
            {"is_under_way": True, "is_held": True, "reason": "message_paused"}, None,
            "It is on its way: no answer has been recorded yet.",
        ),
        (
            {"is_under_way": True}, None, _LOST,
        ),
        (
            {"is_under_way": True, "reason": "message_paused"}, None,
            f"{_LOST} The message is paused; resume it to go on.",
        ),
    ],
)  # fmt: skip
def test_an_open_one_says_where_it_is(
    values: dict[str, str | bool], rate: float | None, expected: str
) -> None:
    recipient = replace(_OPEN, **values)  # type: ignore[arg-type]

    assert summary(replace(_MESSAGE, rate_per_second=rate), recipient) == expected
    assert names(recipient)[-1] == ("sent" if recipient.is_under_way else "waiting")
