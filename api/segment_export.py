"""Who is in a segment, as a CSV file that is made whole before the first byte of it is sent."""

import csv
import io
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection, text
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import to_json
from api.calls import Call, PeopleReadCall
from api.errors import ExportTooSlowError
from api.export_file import ExportFile, opened, room_of
from api.export_sending import Leaving, noticing, send_file
from api.gzip_answers import takes_gzip
from api.openapi import problems
from api.outages import run_known
from api.route import DoorRoute
from api.segment_answers import At, require_kept, scope_of
from api.segments import SegmentId
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
# A disk that falls silent must not hold a connection and a snapshot for ever.
_IDLE = text("SET LOCAL idle_in_transaction_session_timeout TO '60s'")
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get(
    "/{segment_id}/export",
    response_class=Response,
    responses={
        200: {"description": "A CSV file", "content": {"text/csv": {"example": _EXAMPLE}}},
        **problems(401, 403, 404, 409),
    },
)
def export_segment(
    call: PeopleReadCall, request: Request, segment_id: SegmentId, at: At = None
) -> Response:
    """Export who is in a segment as CSV, all of one moment, in the order they were made.

    A text that a spreadsheet would take for a formula has an apostrophe before it. The answer
    begins when the whole file is made.
    """
    require_kept(call, at, "query:at")
    # What is packed already is passed on by the layer that packs all other answers.
    is_packed = takes_gzip(request.headers.get("accept-encoding", ""))
    return _Export(call, segment_id, at, is_packed=is_packed)


class _Export(Response):
    """A file that is made and then sent; what it takes is given back however that ends."""

    media_type = "text/csv"

    def __init__(
        self, call: Call, segment_id: str, at: datetime | None, *, is_packed: bool
    ) -> None:
        super().__init__()
        self.headers["Content-Disposition"] = f'attachment; filename="{segment_id}.csv"'
        if is_packed:
            self.headers.update({"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
        self._call, self._segment_id, self._at = call, segment_id, at
        self._is_packed = is_packed

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Make the file and send it; what keeps it from being made is raised before a byte is."""
        services = self._call.services
        room = room_of(services.settings)
        async with noticing(receive) as left:
            # A reader holds a place and a file, but no connection of the database.
            with (
                services.exports.taken(self._call.app.id),
                opened(room, is_packed=self._is_packed) as file,
            ):
                with services.exports.making():
                    size = await run_in_threadpool(self._make, file, left)
                self.headers["Content-Length"] = str(size)
                start = {"status": self.status_code, "headers": self.raw_headers}
                await send({"type": "http.response.start", **start})
                await send_file(file, size, send, left, services.settings.export_seconds)

    def _make(self, file: ExportFile, left: Leaving) -> int:
        """Write the file in one transaction; return its size in bytes.

        Raises what is wrong with the rule or the file, `ExportTooSlowError`, and
        `ClientDisconnect` when nobody waits for it any more.
        """
        call = self._call
        settings = call.services.settings
        end = time.monotonic() + settings.export_seconds

        def work(connection: Connection) -> None:
            rule = service.rule_of(connection, call.app.id, self._segment_id)
            connection.execute(_IDLE)
            file.write(_csv([_COLUMNS]))
            with (
                left.cancelling(connection),
                asking(connection, settings.rule_timeout_seconds * _PATIENCE),
                closing(stream(connection, rule, scope_of(call, self._at))) as batches,
            ):
                for batch in batches:
                    file.write(_csv(map(_row, batch)))
                    if left.is_set():
                        return
                    if time.monotonic() > end:
                        raise ExportTooSlowError

        run_known(call.services.engine, work, changes=False, has_key=False)
        return file.end()


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
