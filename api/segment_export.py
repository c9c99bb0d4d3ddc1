"""Who is in a segment, as a CSV file that is written while it is read."""

import asyncio
import csv
import io
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, text
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import to_json
from api.calls import Call, PeopleReadCall
from api.openapi import problems
from api.route import DoorRoute
from api.segment_answers import At, require_kept, scope_of
from api.segments import SegmentId
from core.errors import UnavailableError
from segments.definitions import service
from segments.people.person import Person
from segments.reach.people import stream
from segments.rules.timing import asking

router = APIRouter(prefix="/v1/segments", tags=["Segments"], route_class=DoorRoute)
_COLUMNS = ("external_id", "locale", "time_zone", "country", "created_at", "attributes")
_EXAMPLE = (
    "external_id,locale,time_zone,country,created_at,attributes\r\n"
    'ada,en-GB,Europe/London,GB,2026-03-01T12:00:00Z,"{""plan"":""gold""}"\r\n'
)
# All of the people take longer than to count them.
_PATIENCE = 10
# Whoever does not read on must not hold a connection and a snapshot for ever.
_IDLE = text("SET LOCAL idle_in_transaction_session_timeout TO '60s'")
_LONGEST_SECONDS = 900.0
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get(
    "/{segment_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {"description": "A CSV file", "content": {"text/csv": {"example": _EXAMPLE}}},
        **problems(401, 403, 404),
    },
)
def export_segment(call: PeopleReadCall, segment_id: SegmentId, at: At = None) -> Response:
    """Export who is in a segment as CSV, all of one moment, in the order they were made.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    require_kept(call, at, "query:at")
    with ExitStack() as stack:
        stack.enter_context(call.services.exports.taken(call.app.id))
        connection = stack.enter_context(call.services.engine.connect())
        batches = _batches(call, connection, segment_id, at)
        stack.callback(batches.close)
        # A rule that can not be answered is told while it still can be.
        first = next(batches, ())
        # From here on the answer holds the connection.
        held = stack.pop_all()
    return _Export(held, _lines(first, batches), segment_id)


class _Export(StreamingResponse):
    """A file on its way; what it holds is given back however that ends, or never begins."""

    def __init__(self, held: ExitStack, lines: Iterator[bytes], name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        super().__init__(lines, media_type="text/csv; charset=utf-8", headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Whoever has hung up cancels this, too: what is held must be given back all the same.
            await asyncio.shield(asyncio.to_thread(self._held.close))


def _batches(
    call: Call, connection: Connection, segment_id: str, at: datetime | None
) -> Generator[Sequence[Any], None, None]:
    rule = service.rule_of(connection, call.app.id, segment_id)
    connection.execute(_IDLE)
    end = time.monotonic() + _LONGEST_SECONDS
    with asking(connection, call.services.settings.rule_timeout_seconds * _PATIENCE):
        for batch in stream(connection, rule, scope_of(call, at)):
            if time.monotonic() > end:
                raise UnavailableError("The export was read for too long and is cut off.")
            yield batch


def _lines(first: Sequence[Any], others: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    yield _csv([_COLUMNS])
    if first:
        yield _csv(map(_row, first))
    for batch in others:
        yield _csv(map(_row, batch))


def _csv(rows: Any) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def _row(values: Sequence[Any]) -> list[str]:
    person = Person(*values)
    cells = [
        person.external_id,
        person.locale or "",
        person.time_zone or "",
        person.country or "",
        person.created_at.isoformat().replace("+00:00", "Z"),
        to_json(dict(person.attributes)).decode(),
    ]
    return [_plain(cell) for cell in cells]


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
