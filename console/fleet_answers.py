"""What the API answers about credentials and tokens, as values. Pure, as `console.answers`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from console.answers import checked, read


@dataclass(frozen=True, slots=True)
class Credential:
    """What a gateway knows the app by, and why it is paused if it is."""

    id: str
    provider: str
    kind: str
    name: str
    environment: str | None
    topic: str | None
    project_id: str | None
    state: str
    reason: str | None
    reason_text: str | None
    probe_at: str | None = None
    held_platforms: Sequence[str] | None = None
    hold_text: str | None = None
    held_until: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialEvent:
    """What happened to a credential; without an actor it came by itself."""

    kind: str
    words: str | None
    actor: str | None
    at: str


@dataclass(frozen=True, slots=True)
class TokenReason:
    """Tokens of one gateway that are suspect or dead for one reason."""

    reason: str
    words: str
    provider: str
    environment: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Hygiene:
    """The tokens of an app by state and reason, and its devices by when they were seen."""

    devices: int
    active: int
    suspect: Sequence[TokenReason]
    dead: Sequence[TokenReason]
    over_30_days: int
    over_270_days: int


def read_hygiene(item: Any) -> Hygiene:
    """Return the hygiene of tokens."""

    def hygiene() -> Hygiene:
        lists = {
            name: [read(TokenReason, one) for one in item[name]] for name in ("suspect", "dead")
        }
        values = {"devices": item["devices"], "active": item["tokens"]["active"], **item["stale"]}
        return read(Hygiene, {**values, **lists})

    return checked(hygiene)
