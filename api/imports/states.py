"""The states of an import and the allowed moves. Drawn in docs/states.md."""

from enum import StrEnum


class ImportState(StrEnum):
    """Where an import is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


IMPORT_MOVES: dict[ImportState, frozenset[ImportState]] = {
    ImportState.PENDING: frozenset({ImportState.RUNNING, ImportState.CANCELLED}),
    ImportState.RUNNING: frozenset(
        {ImportState.FINISHED, ImportState.FAILED, ImportState.CANCELLED}
    ),
    ImportState.FINISHED: frozenset(),
    ImportState.FAILED: frozenset(),
    ImportState.CANCELLED: frozenset(),
}
