"""Connections break at the worst moments: each step is recorded once, and nobody gets lost."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url

from api.worker import build_engine
from bench.relay import Link, relay_to_postgres
from core.database import open_engine
from tests.chaos.stage import Books, Stage
from tests.deadlines import wait_until

_DEVICES = 300
_EVERY = 2
_LEAST_BREAKS = 2
# A step is recorded by one statement, which commits by itself.
STEP = b"WITH held AS"
WINDOW = b"SELECT w.position"
# Read alone when a window has waited, and together with the window else.
CONTROL = b"SELECT m.state AS message_state"

Break = Callable[[Link, int], bool]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="relay-"))
    yield folder
    shutil.rmtree(folder)


def send_over(stage: Stage, folder: Path, command: bytes, break_: Break, **fields: Any) -> Books:
    """Send while every other `command` to the database meets a break; return the end."""
    stage.add_devices(_DEVICES)
    seen = itertools.count(1)
    broken = itertools.count()

    def judge(link: Link, data: bytes) -> bool:
        if command not in data or (command == CONTROL and WINDOW in data):
            return True
        if next(seen) % _EVERY:
            return True
        return break_(link, next(broken))

    url = make_url(stage.scene.settings.require_database_url())
    # What is not set is read by the driver from the query, or has its default there.
    own_url = url._replace(host=None, port=None).update_query_dict({"host": str(folder)})
    message_id = stage.send(**fields)
    with relay_to_postgres(url, folder, judge):
        database = open_engine(own_url.render_as_string(hide_password=False), pool_size=4)
        event.listen(database, "connect", _send_texts)
        engine = build_engine(stage.scene.settings, database, "campaign")

        def work() -> bool:
            stage.scene.duties.cut_due()
            engine.run(lambda: False)
            stage.scene.duties.sweep()
            return stage.scene.read(message_id)["finished_at"] is not None

        wait_until(work, 60, "the message ends")
        engine.close()
        database.dispose()
    assert next(broken) >= _LEAST_BREAKS
    return stage.wait_end(message_id)


def _send_texts(connection: Any, _record: object) -> None:
    # A prepared statement goes over the wire without its text, by which the relay knows it.
    connection.prepare_threshold = None


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("command", [STEP, b"COMMIT"])
@pytest.mark.parametrize("stage", [{"chunk_size": 100}], indirect=True)
def test_a_commit_without_an_answer(
    stage: Stage, short_folder: Path, command: bytes, policy: str
) -> None:
    def break_(link: Link, number: int) -> bool:
        link.swallow = True
        # In turns it holds and the answer is lost, or it does not even arrive.
        return number % 2 == 0

    books = send_over(stage, short_folder, command, break_, policy=policy)

    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("stage", [{"chunk_size": 100}], indirect=True)
def test_a_connection_that_breaks_while_a_window_is_read(
    stage: Stage, short_folder: Path, policy: str
) -> None:
    books = send_over(stage, short_folder, WINDOW, lambda _link, _number: False, policy=policy)

    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("stage", [{"chunk_size": 100}], indirect=True)
def test_a_connection_that_breaks_while_a_window_that_waited_is_looked_at_again(
    stage: Stage, short_folder: Path, policy: str
) -> None:
    books = send_over(
        stage, short_folder, CONTROL, lambda _link, _number: False,
        policy=policy, rate_per_second=100,
    )  # fmt: skip

    # What others of its chunk were answered meanwhile is not forgotten.
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
