"""How an engine works."""

from dataclasses import dataclass

from delivery.guard.rules import GuardRules


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine works: lane, owner name, lease and bounds."""

    lane: str
    owner: str
    lease_seconds: float
    in_doubt_limit: int
    window_size: int
    stop_seconds: float
    guard: GuardRules
    max_chunks: int = 8
    claim_batch: int = 4
