"""The fleet guard: pauses a credential whose tokens are nearly all refused, and undoes that."""

import logging
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database import begin_unhurried
from core.telemetry import log_event
from delivery.credentials import standing_repository
from delivery.guard import repository
from delivery.guard.repository import Guarded
from delivery.guard.rules import FLEET_GUARD, GuardRules, guard_words
from delivery.guard.tally import Report

_LOGGER = logging.getLogger(__name__)


def tell(database: Engine, rules: GuardRules, report: Report) -> None:
    """Tell the others what a worker saw, and pause the credential if it must; never raises.

    What is lost with a database that is away is seen again with the next answers.
    """
    try:
        with begin_unhurried(database) as connection:
            repository.add(connection, report.app_id, report.credential_id, report.seen)
        if report.is_failing:
            look(database, rules, report.app_id, report.credential_id)
    except (DBAPIError, PoolTimeoutError) as error:
        log_event(_LOGGER, "guard.report_failed", error=type(error).__name__)


def look(database: Engine, rules: GuardRules, app_id: int, credential_id: int) -> bool:
    """Pause a credential if too many of its tokens are refused; tell whether that was done."""
    with database.connect() as connection:
        seen = repository.spans(connection, app_id, credential_id, rules.spans_seconds)
    if not rules.is_tripped(seen):
        return False
    with database.begin() as connection:
        one = repository.lock_guarded(connection, app_id, credential_id)
        trip = _trip(connection, rules, one) if one else None
    if trip is not None:
        log_event(_LOGGER, "guard.tripped", **trip)
    return trip is not None


def watch_over(database: Engine, rules: GuardRules) -> None:
    """Do what no worker is left to do, and believe what is certain by now."""
    with database.connect() as connection:
        refused = repository.list_refused(connection)
    for app_id, credential_id in refused:
        look(database, rules, app_id, credential_id)
    with database.begin() as connection:
        # Answers that were on their way during the pause are taken back, too, and what was
        # suspected with a credential that was deleted since, for the wrong environment perhaps.
        repository.restore(connection)
    with database.begin() as connection:
        retired = repository.judge(connection, share=rules.share, seconds=rules.seconds)
    if retired:
        log_event(_LOGGER, "guard.suspects_retired", targets=retired)


def _trip(connection: Connection, rules: GuardRules, one: Guarded) -> dict[str, Any] | None:
    # Again, under the lock: another worker may have paused it, and somebody resumed it since.
    seen = repository.spans(connection, one.app_id, one.id, rules.spans_seconds)
    if not rules.is_tripped(seen):
        return None
    span = next(span for span in reversed(seen) if rules.is_tripped([span]))
    words = guard_words(one.provider, span, repository.main_reasons(connection, one))
    standing_repository.pause(connection, one.app_id, one.id, FLEET_GUARD, words)
    restored = repository.restore(connection, one.id)
    repository.forget(connection, one.app_id, one.id)
    counts = {"answers": span.answers, "refused": span.refused, "restored": restored}
    return {"credential_id": one.public_id, **counts}
