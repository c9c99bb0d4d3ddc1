"""The answer to a COMMIT is lost: each step is recorded once, whether it held or not."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from api.worker import build_engine
from core.database import open_engine
from tests.chaos.relay import Link, relay_to_postgres
from tests.chaos.stage import Stage
from tests.deadlines import wait_until

_DEVICES = 300
_EVERY = 3


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="relay-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("stage", [{"chunk_size": 100}], indirect=True)
def test_nobody_is_lost_or_sent_twice(stage: Stage, short_folder: Path, policy: str) -> None:
    stage.add_devices(_DEVICES)
    commits = itertools.count(1)
    lost: list[int] = []

    def lose_some(link: Link, data: bytes) -> bool:
        if b"COMMIT" not in data:
            return True
        number = next(commits)
        if number % _EVERY:
            return True
        lost.append(number)
        link.swallow = True
        # In turns it holds and the answer is lost, or it does not even arrive.
        return len(lost) % 2 == 0

    url = make_url(stage.scene.settings.require_database_url())
    own_url = url.update_query_dict({"host": str(short_folder)})
    message_id = stage.send(policy=policy)
    with relay_to_postgres(Path(str(url.query["host"])), short_folder, lose_some):
        database = open_engine(own_url.render_as_string(hide_password=False), pool_size=3)
        engine = build_engine(stage.scene.settings, database, "campaign")

        def work() -> bool:
            stage.scene.duties.cut_due()
            engine.run(lambda: False)
            stage.scene.duties.sweep()
            return stage.scene.read(message_id)["finished_at"] is not None

        wait_until(work, 60, "the message ends")
        database.dispose()

    books = stage.wait_end(message_id)
    assert len(lost) >= 4
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0
