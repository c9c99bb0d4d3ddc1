"""A provider credential as workers use it: identity outside, secret inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Credential:
    """One unsealed credential.

    `secret` holds, by kind: `service_account` the Google service-account JSON; `token` the keys
    `p8`, `key_id`, `team_id`; `certificate` the keys `p12` (base64) and `password`.
    """

    id: int
    app_id: int
    provider: str
    kind: str
    environment: str | None
    topic: str | None
    project_id: str | None
    secret: Mapping[str, Any] = field(repr=False)
