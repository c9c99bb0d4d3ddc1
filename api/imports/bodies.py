"""What imports look like from outside: parameters and documents."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from api.fields import Document, Name, Page
from api.imports.job import ImportJob
from api.imports.mapping import map_columns, split_map
from api.imports.opening import check_delimiter
from api.imports.record import Empty, Format, ImportOptions, Kind, Unmapped
from api.imports.repository import ErrorRow

_MAPS_LIMIT = 1_000

EXAMPLE: dict[str, Any] = {
    "id": "imp_mfrggzdfmztwq2lknnwg23tpoa",
    "kind": "people",
    "state": "running",
    "name": "customers.csv",
    "bytes_total": 1_048_576,
    "bytes_read": 524_288,
    "records": 5_000,
    "created": 4_900,
    "updated": 60,
    "unchanged": 37,
    "failed": 3,
    "failed_reason": None,
    "created_at": "2026-03-01T12:00:00Z",
    "started_at": "2026-03-01T12:00:01Z",
    "updated_at": "2026-03-01T12:00:02Z",
    "finished_at": None,
}
ERROR_EXAMPLE: dict[str, Any] = {
    "line": 17,
    "errors": [
        {
            "pointer": "/time_zone",
            "column": "time_zone",
            "code": "invalid_value",
            "message": "must be a name of the IANA time-zone database, such as Europe/Berlin",
        }
    ],
}


class UploadQuery(BaseModel):
    """How an uploaded file is to be read."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[Kind, Query(description="What the file holds.")]
    name: Annotated[Name | None, Query(description="How the file is called, to be shown.")] = None
    map: Annotated[
        list[str],
        Query(
            max_length=_MAPS_LIMIT,
            description="COLUMN=TARGET, such as `Customer ID=external_id` or "
            "`points=attributes.points:int`. May be given several times.",
        ),
    ] = []
    unmapped: Annotated[
        Unmapped | None,
        Query(
            description="What other columns become: of people attributes, of events properties, of "
            "devices they are refused."
        ),
    ] = None
    empty: Annotated[Empty, Query(description="Whether an empty cell of CSV clears.")] = "keep"
    format: Annotated[Format | None, Query(description="Found out when absent.")] = None
    delimiter: Annotated[
        str | None, Query(description="One character, or `tab`. Found out when absent.")
    ] = None

    def to_options(self) -> ImportOptions:
        """Return the options; raises `InvalidMappingError`."""
        options = ImportOptions(
            kind=self.kind,
            format=self.format,
            delimiter=check_delimiter(self.delimiter),
            maps=tuple(split_map(text) for text in self.map),
            unmapped=self.unmapped,
            empty=self.empty,
        )
        map_columns(options)
        return options


class ImportDocument(Document):
    """An import. `records` is the sum of created, updated, unchanged and failed."""

    id: str
    kind: str
    state: str
    name: str
    bytes_total: int
    bytes_read: int
    records: int
    created: int
    updated: int
    unchanged: int
    failed: int
    failed_reason: str | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None


class ImportPage(Page):
    """Imports in the order they were made."""

    data: list[ImportDocument]


class LineFaultDocument(Document):
    """One thing wrong with a line. `pointer` leads into the item as the API would get it."""

    pointer: str
    column: str | None
    code: str
    message: str


class LineDocument(Document):
    """A line that was not taken; the header is line 1."""

    line: int
    errors: list[LineFaultDocument]


class LinePage(Page):
    """Bad lines in the order of the file."""

    data: list[LineDocument]


def to_document(job: ImportJob) -> ImportDocument:
    """Return an import as the outside sees it."""
    values: dict[str, Any] = {
        name: getattr(job, name, None) for name in ImportDocument.model_fields
    }
    values |= {"id": job.public_id, "bytes_total": job.size}
    return ImportDocument(**values)


def to_line(row: ErrorRow) -> LineDocument:
    """Return a bad line as the outside sees it."""
    errors = [LineFaultDocument.model_validate(fault) for fault in row.errors]
    return LineDocument(line=row.id, errors=errors)
