"""Duties nobody asks for: cutting due messages, sweeping, rolling up and keeping house.

Any number of processes may do them at once: rows are claimed with SKIP LOCKED.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from campaigns.sending import cut_next_due
from core.database import (
    begin_unhurried,
    create_month_partitions,
    driver_connection,
    drop_month_partitions,
    is_away,
)
from core.errors import CarillonError
from core.queue import Nudger
from core.settings import Settings
from core.telemetry import log_event
from delivery.chunks.sweep_repository import end_idle, hand_over
from delivery.credentials import standing_repository
from delivery.guard import service as guard
from delivery.guard.rules import GuardRules
from delivery.messages import repository, statistics_repository
from delivery.outbox import repository as outbox
from delivery.postings import repository as postings
from segments.attributes import repository as attributes
from segments.attributes.profile import profile_next
from segments.events.partitions import ahead, ensure_partitions
from segments.events.repository import forget_keys
from segments.identity import merges
from segments.watching import repository as watches
from segments.watching import service as watching

_LOGGER = logging.getLogger(__name__)
PARTITIONED_TABLES = ("ledger", "attempt_log", "receipt", "person_change", "audit")
_NUDGES_AT_ONCE = 8
# Exits by time are told within ten minutes, also when a comparison takes long.
_COMPARE_SECONDS = 300.0
_COMPARE_LIMIT = 60.0
_PROFILES_AT_ONCE = 20
# About 5 seconds, so that a scheduler that is asked to stop does.
_POSTS_AT_ONCE = 50


_FORGET_PACE = """
DELETE FROM pace
WHERE greatest(arrival_at, reserved_at, slow_at, level_at) < now() - interval '1 day'
"""


def guard_rules(settings: Settings) -> GuardRules:
    """Return the rules of the fleet guard that a process is set to."""
    return GuardRules(settings.guard_share, settings.guard_answers, settings.guard_seconds)


def _code_of(error: CarillonError | DBAPIError) -> str:
    """Return what a log says of an error; raise it when the database is away for all."""
    if isinstance(error, CarillonError):
        return error.code
    if is_away(error):
        raise error
    return type(error.orig).__name__


@dataclass(frozen=True, slots=True)
class Duties:
    """What scheduler and maintenance workers do, each in transactions of its own."""

    settings: Settings
    database: Engine
    nudger: Nudger
    # Segments whose comparison failed, and when by the monotonic clock it is tried again.
    not_before: dict[int, float] = field(default_factory=dict)

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

    def post_ends(self) -> None:
        """Write into the ledger what cuts of large audiences left to be written there."""
        for _ in range(_POSTS_AT_ONCE):
            with begin_unhurried(self.database) as connection:
                if not postings.post(connection):
                    return

    def sweep(self) -> None:
        """End what nobody works on, finish what is done, and nudge lanes with due chunks."""
        with self.database.begin() as connection:
            hand_over(connection, lease_seconds=self.settings.lease_seconds)
            end_idle(connection, lease_seconds=self.settings.lease_seconds)
        with self.database.begin() as connection:
            repository.mark_first_pass(connection)
            repository.finish_done(connection)
        with self.database.connect() as connection:
            due = repository.due_lanes(connection)
        for lane, chunks in due.items():
            for _ in range(min(chunks, _NUDGES_AT_ONCE)):
                self.nudger.nudge(lane)

    def guard_tokens(self) -> None:
        """Pause what refuses nearly all tokens, take verdicts back, and believe the others."""
        guard.watch_over(self.database, guard_rules(self.settings))
        with self.database.begin() as connection:
            standing_repository.release_lapsed(connection)

    def roll_up(self) -> None:
        """Fold statistics deltas into the counts."""
        with self.database.begin() as connection:
            statistics_repository.roll_up(connection)
        with self.database.begin() as connection:
            attributes.roll_up(connection)

    def profile_attributes(self) -> None:
        """Look at the values of attributes, for each app that is due."""
        for _ in range(_PROFILES_AT_ONCE):
            with self.database.begin() as connection:
                if profile_next(connection) is None:
                    return

    def settle_segments(self) -> None:
        """Tell who entered and left watched segments by what was written."""
        with self.database.connect() as connection:
            apps = watches.apps_in_doubt(connection)
        # By turns: nobody waits until an app with endless doubts has none.
        while apps:
            apps = [app_id for app_id in apps if self._settle(app_id)]

    def _settle(self, app_id: int) -> int:
        try:
            with self.database.begin() as connection:
                return watching.settle(connection, app_id)
        except (CarillonError, DBAPIError) as error:
            # A rule that can not be answered must not hold up the segments of others.
            extra = {"app": app_id, "code": _code_of(error)}
            _LOGGER.warning("segment.settle_failed", extra=extra)
            return 0

    def compare_segments(self) -> None:
        """Compare watched segments as a whole, for what changes by time alone."""
        with self.database.connect() as connection:
            due = watches.due(connection, _COMPARE_SECONDS)
        for app_id, segment_id, public_id in due:
            if self.not_before.get(segment_id, 0.0) > time.monotonic():
                continue
            try:
                with self.database.begin() as connection:
                    watching.compare(connection, app_id, (segment_id, public_id), _COMPARE_LIMIT)
            except (CarillonError, DBAPIError) as error:
                # It stays due, but takes no turns of the others for a while.
                self.not_before[segment_id] = time.monotonic() + _COMPARE_SECONDS
                extra = {"segment_id": public_id, "code": _code_of(error)}
                _LOGGER.warning("segment.compare_failed", extra=extra)
            else:
                self.not_before.pop(segment_id, None)

    def keep_house(self) -> None:
        """Make partitions ahead of time and drop what is only kept for a while."""
        with self.database.begin() as connection:
            # A clock of this machine that is wrong must neither make nor drop anything.
            today: date = connection.execute(text("SELECT current_date")).scalar_one()
            create_month_partitions(connection, PARTITIONED_TABLES, today)
        with driver_connection(self.database) as driver:
            ensure_partitions(driver, ahead(today), today)
            forget_keys(driver, self.settings.event_key_days)
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
            standing_repository.forget_old(connection)
            outbox.prune(connection, self.settings.outbox_days)
        with self.database.begin() as connection:
            attributes.forget_unused(connection)
            merges.forget_moved(connection, self.settings.merge_undo_hours)
        self._drop_history(today)

    def _drop_history(self, today: date) -> None:
        kept_from = today - timedelta(days=self.settings.person_history_days)
        with self.database.begin() as connection:
            drop_month_partitions(connection, "person_change", kept_from)
