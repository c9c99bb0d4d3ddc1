"""What is known of the tokens of an app: which live, which are in doubt, which are dead and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.database import rows

# FCM takes a device for stale that it has not heard of for a month, and ends its registration
# after 270 days: https://firebase.google.com/docs/cloud-messaging/manage-tokens
STALE_DAYS, EXPIRED_DAYS = 30, 270

# Two indexes hold what is counted of tokens. A device that never said a word was seen when it was
# stored.
_TOKENS = """
SELECT provider, environment, state, coalesce(state_reason, '') AS reason, count(*) AS tokens
FROM target WHERE app_id = :app_id AND state <> 'active' GROUP BY 1, 2, 3, 4
"""
_ALL_TOKENS = "SELECT count(*) AS tokens FROM target WHERE app_id = :app_id"
_DEVICES = f"""
SELECT count(*) AS devices,
       count(*) FILTER (WHERE seen_at < now() - interval '{STALE_DAYS} days') AS stale,
       count(*) FILTER (WHERE seen_at < now() - interval '{EXPIRED_DAYS} days') AS expired
FROM (SELECT coalesce(last_seen_at, created_at) AS seen_at FROM device WHERE app_id = :app_id) d
"""  # noqa: S608  Numbers of ours.
# One statement, so that nothing changes between its parts.
_COUNT = f"""
SELECT d.*, a.tokens AS all_tokens, t.*
FROM ({_DEVICES}) d CROSS JOIN ({_ALL_TOKENS}) a LEFT JOIN ({_TOKENS}) t ON true
"""  # noqa: S608  All parts are ours.


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one provider and environment in one state, for one reason."""

    provider: str
    environment: str | None
    state: str
    reason: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Hygiene:
    """The tokens that live, the others, and devices; `expired` ones are `stale`, too."""

    active: int
    ended: Sequence[Tokens]
    devices: int
    stale: int
    expired: int


def read(connection: Connection, app_id: int) -> Hygiene:
    """Count exactly, all at one moment."""
    found = rows(connection, _COUNT, app_id=app_id)
    devices, stale, expired, tokens = found[0][:4]
    ended = [Tokens(*row[4:]) for row in found if row.state is not None]
    active = tokens - sum(one.tokens for one in ended)
    return Hygiene(active, ended, devices, stale, expired)
