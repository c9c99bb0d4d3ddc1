"""What an import says: one line while it runs, and its sum at the end."""

import time
from collections.abc import Callable
from typing import Any

from api.imports.job import ImportJob, Progress
from api.imports.repository import ErrorRow

_SAY_SECONDS = 1.0


class Voice:
    """Says where an import stands, once a second."""

    def __init__(self, job: ImportJob, say: Callable[[str], None]) -> None:
        self._job = job
        self._say = say
        self._began = time.monotonic()
        self._said = self._began
        self._lines = 0
        if job.line:
            say(f"Going on behind line {job.line} of {job.name}.")

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    def hear(self, _job: ImportJob, progress: Progress) -> None:
        """Take note of a slice."""
        self._lines += progress.created + progress.updated + progress.unchanged + progress.failed
        now = time.monotonic()
        if now - self._said >= _SAY_SECONDS:
            self._said = now
            share = 100 * progress.bytes_read / max(self._job.size, 1)
            self._say(f"{share:.0f} %, line {progress.line}, {self._lines / self.seconds:.0f}/s")


def to_json(job: ImportJob, seconds: float) -> dict[str, Any]:
    """Return the sum of an import as one flat object."""
    return {
        "id": job.public_id,
        "kind": job.kind,
        "state": job.state,
        "records": job.records,
        "created": job.created,
        "updated": job.updated,
        "unchanged": job.unchanged,
        "failed": job.failed,
        "seconds": round(seconds, 2),
    }


def to_words(job: ImportJob, errors: list[ErrorRow]) -> str:
    """Return the sum of an import, with its first bad lines."""
    total = (
        f"{job.records} {job.kind} read from {job.name}: {job.created} created, "
        f"{job.updated} updated, {job.unchanged} unchanged, {job.failed} bad ({job.public_id})"
    )
    lines = [total]
    lines += [f"  {line}" for error in errors for line in error_lines(error)]
    if job.failed > len(errors):
        lines.append(f"  and {job.failed - len(errors)} more; --errors FILE writes them all")
    return "\n".join(lines)


def error_lines(error: ErrorRow) -> list[str]:
    """Return what is wrong with a line of the file, one text for each fault."""
    return [
        f"line {error.id}: {fault['column'] or fault['pointer']}: {fault['message']}".replace(
            ": : ", ": "
        )
        for fault in error.errors
    ]
