"""Cut the audience of a due message into chunks, in one transaction."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from delivery.fanout_sql import COUNT, COUNT_WIDE, CUT, CUT_ROWS, DROP_ROWS, SET_OUT
from delivery.messages import repository
from delivery.messages.message import HARD_END_SECONDS, Message
from delivery.states import MessageState

# The kinds of target that take an ordinary notification, best first.
PUSH_KINDS = ("fid", "token", "alert")
_WIDE = {
    "enable_nestloop": "off",
    "work_mem": "'64MB'",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "parallel_setup_cost": "100",
    "parallel_tuple_cost": "0.005",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Who a message is for, as SQL that selects `id`: people, and devices chosen by themselves.

    The texts are ours, written in this code base; everything from callers is in `values`. `people`
    lists each person once. A wide source names a large part of the app: tables are read whole
    for it, whatever the planner believes. None of its `devices` belongs to one of its `people`.
    `bars` are joins to the devices and people of `aimed a`, and `refuses` and `is_suppressed` say
    of them who is not to be sent to; never null.
    """

    people: str
    devices: str
    values: Mapping[str, Any]
    is_wide: bool = False
    bars: str = ""
    refuses: str = "false"
    is_suppressed: str = "false"

    def put_into(self, statement: str) -> str:
        """Return a statement that reads this source."""
        return statement.format(
            people=self.people,
            devices=self.devices,
            bars=self.bars,
            refuses=self.refuses,
            is_suppressed=self.is_suppressed,
        )


@dataclass(frozen=True, slots=True)
class Reached:
    """Recipients of one credential, or of none, that are to be sent to or not for a `reason`."""

    reason: str | None
    credential_id: int | None
    recipients: int


def reach(connection: Connection, app_id: int, source: Source) -> Sequence[Reached]:
    """Count whom a cut would target now."""
    statement = source.put_into(COUNT_WIDE if source.is_wide else COUNT)
    values = {"app_id": app_id, "kinds": list(PUSH_KINDS), **source.values}
    with _reading(connection, source):
        found = rows(connection, statement, **values)
    return [Reached(*row) for row in found]


def cut(connection: Connection, message: Message, source: Source, chunk_size: int) -> Message:
    """Cut the audience of `message` and set it running; returns it with `targeted` known.

    Runs in the caller's transaction: either everything is planned, or nothing.
    """
    aim = {"app_id": message.app_id, "kinds": list(PUSH_KINDS), "size": chunk_size, **source.values}
    known = {
        "app_id": message.app_id,
        "message_id": message.id,
        "lane": message.lane,
        "ttl": min(message.ttl_seconds, HARD_END_SECONDS),
    }
    with _reading(connection, source):
        if source.is_wide:
            connection.execute(text(source.put_into(SET_OUT)), aim)
            found = rows(connection, CUT_ROWS, **known)[0]
            connection.execute(text(DROP_ROWS))
        else:
            found = rows(connection, source.put_into(CUT), **{**aim, **known})[0]
    values = {
        "state": MessageState.RUNNING.value,
        "day": found.day,
        "targeted": found.targeted,
        "started_at": found.started_at,
        "expires_at": found.expires_at,
    }
    return repository.change(connection, message, values)


@contextlib.contextmanager
def _reading(connection: Connection, source: Source) -> Iterator[None]:
    """Have a wide source read by joining whole tables, with room to sort them in memory.

    Just after an import the planner takes an app for small and looks its devices up one by one,
    which takes three times as long.
    """
    if not source.is_wide:
        yield
        return
    for setting, value in _WIDE.items():
        connection.execute(text(f"SET LOCAL {setting} TO {value}"))
    yield
    for setting in _WIDE:
        connection.execute(text(f"SET LOCAL {setting} TO DEFAULT"))
