"""Where rules read how far messages came: ends in the ledger, and receipts beside it."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, Table

from delivery.deliveries.tables import ledger
from delivery.receipts.tables import receipt
from delivery.successors.tables import person_successor
from delivery.tables import message
from segments.rules.evaluate import STATES_OF
from segments.rules.moments import Span
from segments.rules.sql.binding import Truth, bound, text, texts
from segments.rules.sql.comparisons import in_span
from segments.rules.sql.sources import Scope, ordered


def sent(scope: Scope, public_id: str | None, milestone: str, span: Span) -> Select[Any]:
    """Return, once each, for whom a message, or any, came to a milestone in a span."""
    found = ordered(_sent(scope, public_id, milestone, span).subquery())
    return sa.select(found.c.person_id).group_by(found.c.person_id)


def _sent(scope: Scope, public_id: str | None, milestone: str, span: Span) -> Select[Any]:
    states = texts(STATES_OF.get(milestone, ()))
    if milestone in {"sent", "accepted"}:
        table, reached = ledger, ledger.c.state == sa.any_(states)
    else:
        table, reached = receipt, receipt.c.milestone == sa.any_(states)
    # Both keep the ids of people who became one with others since.
    today = sa.func.coalesce(person_successor.c.into_id, table.c.person_id)
    is_of = sa.and_(
        person_successor.c.app_id == table.c.app_id,
        person_successor.c.person_id == table.c.person_id,
    )
    found = sa.select(today.label("person_id")).select_from(
        table.outerjoin(person_successor, is_of)
    )
    found = found.where(
        table.c.app_id == scope.app_id,
        table.c.person_id.is_not(None),
        reached,
        in_span(span, table.c.at),
        *_message_days(table, span),
    )
    if public_id is None:
        return found
    this = sa.select(message).where(
        message.c.app_id == scope.app_id, message.c.public_id == text(public_id)
    )
    return found.where(
        table.c.message_id == this.with_only_columns(message.c.id).scalar_subquery(),
        table.c.day == this.with_only_columns(message.c.day).scalar_subquery(),
    )


def _message_days(table: Table, span: Span) -> list[Truth]:
    """Return what spares partitions.

    A message ends on its day, or within two days after it; it may be opened at any time from then.
    """
    bounds: list[Truth] = []
    if span.start is not None and table is ledger:
        earliest = (span.start - timedelta(days=3)).date()
        bounds.append(table.c.day >= bound(earliest, sa.Date))
    if span.end is not None:
        bounds.append(table.c.day <= bound(span.end.date(), sa.Date))
    return bounds
