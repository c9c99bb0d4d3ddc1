"""Files to import, apps to import them into, and a look at the end state."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from api.imports import repository
from api.imports.command import Order, begin, go_on
from api.imports.job import ImportJob, Progress
from api.imports.opening import OpenFile, open_reader
from api.imports.record import ImportOptions, Kind, Record
from core.settings import Settings

HEADER = "external_id,first_name,points,locale,time_zone,country\n"


def read(data: bytes, kind: Kind = "people", **options: Any) -> list[Record]:
    """Return all records of a file."""
    return list(opened(data, kind, **options).reader)


def opened(data: bytes, kind: Kind = "people", **options: Any) -> OpenFile:
    """Open bytes as a file to import."""
    return open_reader(io.BytesIO(data), ImportOptions(kind, **options))


def codes(records: Sequence[Record]) -> dict[int, str]:
    """Return the code of the first fault of each bad line."""
    return {record.line: record.faults[0].code for record in records if record.faults}


def people_lines(count: int, *, bad_every: int = 0) -> tuple[str, set[int]]:
    """Return a CSV of `count` people and the numbers of its bad lines, bad in several ways."""
    lines, bad = [HEADER], set()
    for number in range(count):
        name, zone, tail = f"customer-{number:07}", "Europe/Berlin", "DE\n"
        if bad_every and number % bad_every == bad_every - 1:
            bad.add(number + 2)
            fate = number // bad_every % 4
            name = ("", f'"customer-{number}', f"customer-{number:07}", f"x{number}\0")[fate]
            zone = "Mars/Olympus" if fate == 2 else zone
        lines.append(f"{name},Name {number % 500},{number % 10_000},de-DE,{zone},{tail}")
    return "".join(lines), bad


@dataclass(frozen=True, slots=True)
class Shop:
    """One app and the way a command imports into it."""

    database: Engine
    settings: Settings
    app_id: int

    def in_slices(self, lines: int) -> "Shop":
        """Return the same app with another number of lines in a slice."""
        settings = self.settings.model_copy(update={"import_slice_lines": lines})
        return Shop(self.database, settings, self.app_id)

    def run(
        self, path: Path, kind: Kind = "people", *, restarts: bool = False, **options: Any
    ) -> ImportJob:
        """Import a file to its end."""
        order = Order(self.app_id, path, ImportOptions(kind, **options), restarts)
        job = begin(self.database, order, self.settings.lease_seconds)
        return go_on(self.database, self.settings, job, path, ignore)

    def bad_lines(self, job: ImportJob) -> dict[int, dict[str, Any]]:
        """Return the first fault of every line that was not taken."""
        with self.database.begin() as connection:
            rows = repository.list_errors(connection, job, 0, 1_000_000)
        return {row.id: dict(row.errors[0]) for row in rows}

    def people(self) -> dict[str, tuple[Any, ...]]:
        """Return everybody: attributes, locale, time zone, country."""
        sql = """SELECT external_id, attributes, locale, time_zone, country FROM person
                 WHERE app_id = :app_id"""
        return {row[0]: tuple(row[1:]) for row in self.rows(sql)}

    def rows(self, sql: str) -> Sequence[Any]:
        """Return what a statement about this app finds."""
        with self.database.begin() as connection:
            return connection.execute(text(sql), {"app_id": self.app_id}).all()


def ignore(_job: ImportJob, _progress: Progress) -> None:
    """Say nothing of the progress."""
