"""What travels through delivery: a notification, a push to one target, a provider."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from delivery.outcome import Outcome
from delivery.transport import Fields

NOTHING: Mapping[str, Any] = {}

# In the name of a blank: what follows is a key of `data`.
DATA_BLANK = "data."


# Compared by identity: encoders keep what they have written of one for all its pushes.
@dataclass(frozen=True, slots=True, eq=False)
class Notification:
    """A rendered message, with the platform's overrides already applied.

    `extra` holds raw provider fields: for `apns` keys of the `aps` dictionary, for `android`
    fields of AndroidNotification. `blanks` names the texts that differ between recipients, such
    as `title` or `data.link`: each push brings its own, and what stands here means nothing.
    """

    title: str | None = None
    body: str | None = None
    subtitle: str | None = None
    image: str | None = None
    sound: str | None = None
    badge: int | None = None
    deep_link: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False
    blanks: tuple[str, ...] = ()

    def filled(self, texts: Sequence[str]) -> "Notification":
        """Return the notification with `texts` in its blanks, in their order."""
        if not self.blanks:
            return self
        data, fields = dict(self.data), {}
        for blank, text in zip(self.blanks, texts, strict=True):
            if blank.startswith(DATA_BLANK):
                data[blank.removeprefix(DATA_BLANK)] = text
            else:
                fields[blank] = text
        return replace(self, **fields, data=data, blanks=())  # type: ignore[arg-type]


# What a recipient gets: a notification for many, and the texts for its blanks.
Rendered = tuple[Notification, tuple[str, ...]]


# This one and `Encoded` are made for every push, and freezing them triples what that takes.
@dataclass(slots=True)
class Push:
    """One notification to one target. `id` is equal at every attempt; times are aware UTC."""

    id: str  # a UUID
    message_id: str
    token: str
    kind: str  # apns: alert, voip, live_activity …; fcm: token, fid
    platform: str  # ios, android, web, …
    topic: str | None  # apns: overrides the credential's bundle id
    notification: Notification
    expires_at: datetime
    collapse_id: str | None
    priority: str  # high, normal
    texts: tuple[str, ...] = ()  # for the blanks of the notification


@dataclass(slots=True)
class Encoded:
    """A push as it goes on the wire, its body within the size limit.

    `headers` are the same for many pushes, `varying` differ between them.
    """

    push: Push
    path: str
    headers: Fields
    varying: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A push that can not be encoded: `too_large` or `render_error`, with words for people."""

    reason: str
    words: str


Report = Callable[[Encoded, Outcome], None]


class Provider(Protocol):
    """One gateway under one credential."""

    def encode(self, push: Push) -> Encoded | Unsendable:
        """Build the request; pure, and the only place where sizes are checked."""
        ...

    def send(self, pushes: Sequence[Encoded], timeout_seconds: float, report: Report) -> None:
        """Start all of `pushes`; `report` is called exactly once for each, now or while pumping.

        Never raises for one bad device. No byte is written later than `timeout_seconds` from now.
        """
        ...

    def unwritten(self) -> Collection[Report]:
        """Return the `report` of all pushes of which nothing was written.

        Others on the same transport may be among them.
        """
        ...

    def withdraw(self, report: Report) -> None:
        """Take back those pushes of one `send` of which nothing was written.

        They are reported as `Withdrawn`, now or while pumping; the others go on.
        """
        ...

    def retire(self) -> None:
        """Let go of connections: another version of the credential has taken over."""
        ...
