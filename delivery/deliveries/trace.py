"""From what is kept about a delivery to its steps in plain words; pure.

An ordinary push keeps one row: its end. Between the cut and that end its steps have no moments of
their own, so each says between which two it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.deliveries.words import RECEIPTS, ending
from delivery.messages.message import Message
from delivery.messages.waiting import words_for
from delivery.receipts.receipt import Reached
from delivery.states import RecipientState

PENDING = "pending"
# What is found out when all texts are filled in. Any other suppression is found out before that,
# or is why they could not be.
_WHEN_RENDERED = {"too_large"}
# With these nothing had left at the last try: it had no permit, or the gateway could not be had.
_WITHOUT_PERMIT = {"collapse_budget"}
_NOTHING_LEFT = {
    "gateway_busy", "gateway_unreachable", "lease_short", "oauth_unavailable", "stream_refused",
    "too_large", "unsupported",
}  # fmt: skip
# What the last step is called; else the gateway's answer is the end.
_END_NAMES = {"unknown": "unanswered", "expired": "expired"}
# Nobody knows whether the gateway has seen anything of these.
_LOST_SIGHT = {"worker_lost", "no_outcome"}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient as it is now: ended, or open with what it waits for.

    `is_under_way` tells that it may have left already, and that no answer is recorded yet,
    `is_held` that a worker has it in hand, and `awaits_permit` that it was put back until `due_at`.
    """

    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: datetime | None
    device_id: int | None
    person_id: int | None
    words: str | None
    due_at: datetime | None
    first_attempt_at: datetime | None
    is_under_way: bool
    is_held: bool
    awaits_permit: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that did not end the recipient: why, when, and when the next one was due."""

    number: int
    reason: str
    at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One step. With `since` it happened between that and `at`; without `at` it is not over."""

    name: str
    words: str
    at: datetime | None
    since: datetime | None = None


def summary(message: Message, recipient: Recipient, reached: Sequence[Reached] = ()) -> str:
    """Return in plain words what became of a recipient, and how far its phone says it came."""
    words = _summary(message, recipient)
    return f"{words} {RECEIPTS[reached[-1].milestone]}" if reached else words


def _summary(message: Message, recipient: Recipient) -> str:
    if recipient.state != PENDING:
        return ending(recipient.state, recipient.reason, recipient.gateway)
    waits_for = recipient.words or (words_for(recipient.reason) if recipient.reason else None)
    if not recipient.is_under_way:
        return waits_for or _turn(message, recipient)
    if recipient.is_held:
        return "It is on its way: no answer has been recorded yet."
    words = "Its worker was lost while it was on its way; the next worker settles it."
    return f"{words} {waits_for}" if waits_for else words


def _turn(message: Message, recipient: Recipient) -> str:
    if recipient.is_held:
        words = "A worker has it in hand; no answer has been recorded yet."
    else:
        words = "Its turn has not come yet."
    if message.rate_per_second is not None:
        words += f" The message goes at no more than {message.rate_per_second:g} a second."
    if recipient.awaits_permit and recipient.due_at:
        words += f" Limits and quotas let it go on at {_time(recipient.due_at)}."
    return words


def steps(
    message: Message,
    recipient: Recipient,
    attempts: Sequence[Attempt],
    reached: Sequence[Reached] = (),
) -> list[Step]:
    """Return the steps of a delivery, oldest first; what its phone reported comes last."""
    own = [*_planning(message), *_tries(message, recipient, attempts)]
    return [*own, *map(_receipt, reached)]


def _receipt(reached: Reached) -> Step:
    words = (
        "It was opened, so it had arrived." if reached.is_implied else RECEIPTS[reached.milestone]
    )
    return Step("receipt", words, reached.at)


def _planning(message: Message) -> Iterator[Step]:
    words = f"The message was stored, to be sent at {_time(message.send_at)}."
    if message.replay_of:
        words += f" It replays dead letters of {message.replay_of}."
    yield Step("queued", words, message.created_at)
    number = f"{message.targeted:,} recipients" if message.targeted != 1 else "one recipient"
    yield Step("planned", f"The audience was fixed: {number}, this one included.",
               message.started_at)  # fmt: skip


def _tries(message: Message, recipient: Recipient, attempts: Sequence[Attempt]) -> Iterator[Step]:
    since = message.started_at
    words = _summary(message, recipient)
    if recipient.state == RecipientState.SUPPRESSED and recipient.attempt == 0:
        # Found out while the audience was fixed.
        yield Step("suppressed", words, message.started_at)
        return
    if recipient.first_attempt_at is not None:
        claimed = "A worker took it up for the first time."
        yield Step("claimed", claimed, recipient.first_attempt_at)
    elif attempts:
        yield Step("claimed", "A worker took it up.", attempts[0].at, since)
    for attempt in attempts:
        yield _retried(attempt)
        since = attempt.due_at
    if recipient.state != PENDING:
        yield from _ended(recipient, words, since, is_retried=bool(attempts))
    elif recipient.is_under_way:
        handed = "It was handed to the gateway, or is about to be; no answer is recorded yet."
        yield Step("sent", handed, None, since)
    else:
        yield Step("waiting", words, None, since)


def _retried(attempt: Attempt) -> Step:
    words = (
        f"Attempt {attempt.number} did not end it ({attempt.reason.replace('_', ' ')}): "
        f"{words_for(attempt.reason)} The next was due at {_time(attempt.due_at)}."
    )
    return Step("retried", words, attempt.at)


def _ended(
    recipient: Recipient, words: str, since: datetime | None, *, is_retried: bool
) -> Iterator[Step]:
    at, state, reason = recipient.at, recipient.state, recipient.reason
    if reason in {"ttl", "cancelled"}:
        # Nobody worked on it then.
        yield Step(state, words, at)
        return
    if not is_retried:
        yield Step("claimed", "A worker took it up.", at, since)
    is_suppressed = state == RecipientState.SUPPRESSED
    if not is_suppressed or reason in _WHEN_RENDERED:
        yield Step("rendered", "Its texts were filled in and its payload was built.", at, since)
    if not is_suppressed and reason not in _WITHOUT_PERMIT:
        yield Step("paced", "It got its permit: rate limits and quotas let it pass.", at, since)
    if is_suppressed or reason in _WITHOUT_PERMIT | _NOTHING_LEFT:
        yield Step(state, words, at)
        return
    yield Step("sent", _handed(reason), at, since)
    said = f" The gateway's name for it: {recipient.gateway}." if _is_named(recipient) else ""
    yield Step(_END_NAMES.get(state, "answered"), words + said, at)


def _handed(reason: str | None) -> str:
    if reason in _LOST_SIGHT:
        return "It was handed to the gateway, or was about to be."
    return "It was handed to the gateway."


def _is_named(recipient: Recipient) -> bool:
    return recipient.state == RecipientState.ACCEPTED and bool(recipient.gateway)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
