"""Leased chunks and windows for tests, as a worker holds them in memory."""

from datetime import UTC, datetime
from typing import cast

from delivery.chunks.chunk import Lease, MessageFacts
from delivery.push import Encoded, Provider

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO_PROVIDER = cast("Provider", None)
NO_PUSH = cast("Encoded", None)


def lease_of(size: int, policy: str) -> Lease:
    facts = MessageFacts(
        app_id=1,
        id=2,
        public_id="msg_x",
        day=NOW.date(),
        policy=policy,
        content={},
        collapse_id=None,
        priority="high",
        rate_per_second=None,
        lane="campaign",
        weight=1,
        expires_at=NOW,
        kept_until=NOW,
    )
    return Lease(
        id=3,
        message=facts,
        credential_id=4,
        credential_updated_at=NOW,
        attempt=1,
        first_attempt_at=None,
        device_ids=list(range(100, 100 + size)),
        person_ids=[None] * size,
        intended=0,
        open=(),
        cursor=0,
        fence=1,
    )
