"""Duties nobody asks for: cutting due messages, sweeping, rolling up and keeping house.

Any number of processes may do them at once: rows are claimed with SKIP LOCKED.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Engine, text

from campaigns.sending import cut_next_due
from core.clock import utc_now
from core.database import create_month_partitions
from core.queue import Nudger
from core.settings import Settings
from core.telemetry import log_event
from delivery.chunks.sweep_repository import end_idle
from delivery.messages import repository, statistics_repository

_LOGGER = logging.getLogger(__name__)
PARTITIONED_TABLES = ("ledger", "attempt_log", "event", "audit")
_NUDGES_AT_ONCE = 8


_FORGET_PACE = """
DELETE FROM pace
WHERE greatest(arrival_at, reserved_at, slow_at, level_at) < now() - interval '1 day'
"""


@dataclass(frozen=True, slots=True)
class Duties:
    """What scheduler and maintenance workers do, each in transactions of its own."""

    settings: Settings
    database: Engine
    nudger: Nudger

    def cut_due(self) -> int:
        """Cut every due message and nudge its lane; return how many were cut."""
        count = 0
        while message := cut_next_due(self.database, self.settings.chunk_size):
            count += 1
            log_event(
                _LOGGER, "message.cut", message_id=message.public_id, targeted=message.targeted
            )
            self.nudger.nudge(message.lane)
        return count

    def sweep(self) -> None:
        """End what nobody works on, finish what is done, and nudge lanes with due chunks."""
        with self.database.begin() as connection:
            end_idle(connection, lease_seconds=self.settings.lease_seconds)
        with self.database.begin() as connection:
            repository.mark_first_pass(connection)
            repository.finish_done(connection)
        with self.database.connect() as connection:
            due = repository.due_lanes(connection)
        for lane, chunks in due.items():
            for _ in range(min(chunks, _NUDGES_AT_ONCE)):
                self.nudger.nudge(lane)

    def roll_up(self) -> None:
        """Fold statistics deltas into the counts."""
        with self.database.begin() as connection:
            statistics_repository.roll_up(connection)

    def keep_house(self) -> None:
        """Make partitions ahead of time and drop what is only kept for a while."""
        with self.database.begin() as connection:
            create_month_partitions(connection, PARTITIONED_TABLES, utc_now().date())
        with self.database.begin() as connection:
            connection.execute(
                text(
                    "DELETE FROM idempotency WHERE created_at < now() - make_interval(hours => :h)"
                ),
                {"h": self.settings.idempotency_hours},
            )
            connection.execute(text(_FORGET_PACE))
            connection.execute(text("DELETE FROM collapse_budget WHERE arrival_at < now()"))
            statistics_repository.prune(connection)
