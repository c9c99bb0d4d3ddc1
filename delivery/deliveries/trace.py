"""From what is kept about a delivery to its steps in plain words; pure.

An ordinary push keeps one row: its end. Between the cut and that end its steps have no moments of
their own, so each says between which two it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.deliveries.words import ending
from delivery.messages.message import Message
from delivery.messages.waiting import words_for
from delivery.states import RecipientState

PENDING = "pending"
# What is found out before any text is filled in, and while it is.
_BEFORE_RENDERING = {"no_permission", "suspect", "retired_before_send", "moved", "cancelled"}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient as it is now: ended, or open with what it waits for.

    `is_under_way` tells that it may have left already, and that no answer is recorded yet.
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


def summary(recipient: Recipient) -> str:
    """Return in one sentence what became of a recipient."""
    if recipient.state != PENDING:
        return ending(recipient.state, recipient.reason, recipient.gateway)
    if recipient.words:
        return recipient.words
    if recipient.reason:
        return words_for(recipient.reason)
    if recipient.is_under_way:
        return "It is on its way: no answer has been recorded yet."
    return "Its turn has not come yet."


def steps(message: Message, recipient: Recipient, attempts: Sequence[Attempt]) -> list[Step]:
    """Return the steps of a delivery, oldest first."""
    return [*_planning(message), *_tries(message, recipient, attempts)]


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
    if recipient.state == RecipientState.SUPPRESSED and recipient.attempt == 0:
        # Found out while the audience was fixed.
        yield Step("suppressed", summary(recipient), message.started_at)
        return
    if recipient.first_attempt_at is not None:
        words = "A worker took it up for the first time."
        yield Step("claimed", words, recipient.first_attempt_at)
    elif attempts:
        yield Step("claimed", "A worker took it up.", attempts[0].at, since)
    for attempt in attempts:
        yield _retried(attempt)
        since = attempt.due_at
    if recipient.state == PENDING:
        yield from _open(recipient, since)
    else:
        yield from _ended(recipient, since, is_retried=bool(attempts))


def _retried(attempt: Attempt) -> Step:
    words = (
        f"Attempt {attempt.number} did not end it ({attempt.reason.replace('_', ' ')}): "
        f"{words_for(attempt.reason)} The next was due at {_time(attempt.due_at)}."
    )
    return Step("retried", words, attempt.at)


def _open(recipient: Recipient, since: datetime | None) -> Iterator[Step]:
    if recipient.is_under_way:
        words = "It was handed to the gateway, or is about to be; no answer is recorded yet."
        yield Step("sent", words, None, since)
    else:
        yield Step("waiting", summary(recipient), None, since)


def _ended(recipient: Recipient, since: datetime | None, *, is_retried: bool) -> Iterator[Step]:
    at = recipient.at
    is_suppressed = recipient.state == RecipientState.SUPPRESSED
    if recipient.reason in {"ttl", "cancelled"}:
        # Nobody worked on it then.
        yield Step(recipient.state, summary(recipient), at)
        return
    if not is_retried:
        yield Step("claimed", "A worker took it up.", at, since)
    if is_suppressed and recipient.reason in _BEFORE_RENDERING:
        yield Step("suppressed", summary(recipient), at)
        return
    yield Step("rendered", "Its texts were filled in and its payload was built.", at, since)
    if is_suppressed:
        yield Step("suppressed", summary(recipient), at)
        return
    yield Step("paced", "It got its permit: rate limits and quotas let it pass.", at, since)
    yield Step("sent", "It was handed to the gateway.", at, since)
    name = "unanswered" if recipient.state == RecipientState.UNKNOWN else "answered"
    said = f" The gateway's name for it: {recipient.gateway}." if _is_named(recipient) else ""
    yield Step(name, summary(recipient) + said, at)


def _is_named(recipient: Recipient) -> bool:
    return recipient.state == RecipientState.ACCEPTED and bool(recipient.gateway)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
