"""What the API answers, as values. Pure: from JSON to frozen dataclasses and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from console.errors import ApiStrangeError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page of a list; `next_cursor` is None on the last one."""

    data: Sequence[_T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Recipients that wait, and for what, in words."""

    reason: str
    words: str
    recipients: int
    next_attempt_at: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `counts` are its ended recipients by state, `targeted` None until cut."""

    id: str
    state: str
    status: str
    title: str | None
    is_test: bool
    lane: str
    created_at: str
    scheduled_at: str
    finished_at: str | None
    rate_per_second: float | None
    failed_reason: str | None
    targeted: int | None
    open: int
    counts: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    waiting: Sequence[Waiting]
    receipts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one recipient; `message` and `title` only in somebody's history."""

    state: str
    reason: str | None
    gateway: str | None
    attempt: int
    at: str | None
    device: str | None
    person: str | None = None
    message: str | None = None
    message_state: str | None = None
    title: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a delivery: at a moment, between `since` and it, or not over yet."""

    step: str
    words: str
    at: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened to one delivery, and in `words` what became of it."""

    id: str
    message: str
    title: str | None
    device: str | None
    person: str | None
    state: str
    words: str
    next_attempt_at: str | None
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many recipients ended in one step of time, by state."""

    at: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Count:
    """Whom a message would target now."""

    recipients: int
    sendable: int
    suppressed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a message would take, and what decides it; `first_pass_at` None: it expires.

    `held` says in words why something of it would have to wait.
    """

    seconds: float
    limited_by: str | None
    first_pass_at: str | None
    held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """How one platform shows a message, how large it gets, and what is wrong with it."""

    notification: Mapping[str, Any] | None
    sizes: Sequence[Mapping[str, Any]]
    errors: Sequence[Mapping[str, Any]]
    skipped: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where pushes for a device go."""

    provider: str
    kind: str
    environment: str | None
    state: str
    state_reason: str | None
    registered_at: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device with its targets; `person` is None when it is anonymous."""

    id: str
    person: str | None
    platform: str
    model: str | None
    app_version: str | None
    permission: str
    last_seen_at: str | None
    targets: Sequence[Target]


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the app."""

    external_id: str
    attributes: Mapping[str, Any]
    locale: str | None
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a person: by name, what was before and what after; None is nothing."""

    at: str
    cause: str | None
    attributes: Mapping[str, Mapping[str, Any]]
    fields: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person did, and when it came to us."""

    name: str
    properties: Mapping[str, Any]
    at: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a person agrees to something; without a `source` the app's default speaks."""

    kind: str
    granted: bool
    source: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class App:
    """An app this key reaches."""

    id: str
    name: str
    created_at: str


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Whether a level's switch is on, and the levels at which sending is stopped here."""

    is_on: bool
    reason: str | None
    set_at: str | None
    stopped_by: Sequence[str]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the app; `secret` is known only right after it was made."""

    id: str
    kind: str
    name: str
    scopes: Sequence[str]
    hint: str
    last_used_at: str | None
    expires_at: str | None = None
    secret: str | None = None


def read(kind: type[_T], item: Any) -> _T:
    """Return `item` as a value of a flat `kind`; raise `ApiStrangeError` when it is none."""
    names = getattr(kind, "__dataclass_fields__", {})
    return checked(lambda: kind(**{name: item[name] for name in names if name in item}))


def read_page(item: Any, read_one: Callable[[Any], _T]) -> Page[_T]:
    """Return a page whose entries `read_one` reads."""
    return checked(lambda: Page([read_one(one) for one in item["data"]], item.get("next_cursor")))


def read_message(item: Any) -> Message:
    """Return a message."""

    def message() -> Message:
        counts = {str(state): int(number) for state, number in dict(item["counts"]).items()}
        waiting = [read(Waiting, one) for one in item["waiting"]]
        return read(Message, {**item, "counts": counts, "waiting": waiting})

    return checked(message)


def read_forecast(item: Any) -> Forecast:
    """Return a forecast."""

    def forecast() -> Forecast:
        held = [one["held_words"] for one in item["credentials"] if one.get("held_words")]
        return read(Forecast, {**item, "held": list(dict.fromkeys(held))})

    return checked(forecast)


def read_device(item: Any) -> Device:
    """Return a device."""
    return checked(
        lambda: read(Device, {**item, "targets": [read(Target, one) for one in item["targets"]]})
    )


def read_trace(item: Any) -> Trace:
    """Return a trace."""
    return checked(
        lambda: read(Trace, {**item, "steps": [read(Step, one) for one in item["steps"]]})
    )


def checked(build: Callable[[], _T]) -> _T:
    """Return what `build` makes; raise `ApiStrangeError` when the answer has another shape."""
    try:
        return build()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApiStrangeError from error
