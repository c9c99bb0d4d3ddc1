"""A moment without PostgreSQL: an import waits, and ends as one that was not disturbed."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from api.imports.job import ImportJob
from api.imports.patience import Patience
from api.imports.turn import TurnEndedError
from bench.relay import Link, relay_to_postgres
from core.database import open_engine
from tests.api.imports.files import Shop
from tests.api.imports.test_events import events, some_events

Judge = Callable[[Link, bytes], bool]
_LINES = 450


@contextmanager
def through(shop: Shop, judge: Judge) -> Iterator[Shop]:
    """Yield the same app behind a relay."""
    url = make_url(shop.settings.require_database_url())
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        own = url._replace(host=None, port=None).update_query_dict({"host": folder})
        with relay_to_postgres(url, Path(folder), judge):
            engine = open_engine(own.render_as_string(hide_password=False), pool_size=2)
            yield replace(shop, database=engine)
            engine.dispose()


class Breaking:
    """Breaks the connection at a statement, the given number of times."""

    def __init__(self, words: bytes, times: int) -> None:
        self.words = words
        self.left = times

    def __call__(self, _link: Link, data: bytes) -> bool:
        if self.words in data and self.left:
            self.left -= 1
            return False
        return True


def csv(folder: Path) -> Path:
    path = folder / "events.csv"
    path.write_text(some_events(_LINES, bad_every=9))
    return path


def sums(job: ImportJob) -> tuple[object, ...]:
    return job.state, job.records, job.created, job.unchanged, job.failed


@pytest.mark.parametrize("words", [b"INSERT INTO event_name", b"event_key", b"bytes_read="])
def test_a_connection_that_breaks_delays_it(
    shop: Shop, twin: Shop, tmp_path: Path, words: bytes
) -> None:
    path = csv(tmp_path)
    breaking = Breaking(words, 2)

    with through(shop, breaking) as disturbed:
        job = disturbed.run(path, "events")

    assert breaking.left == 0
    assert sums(job) == sums(twin.run(path, "events"))
    assert events(shop) == events(twin)


def test_a_slice_whose_commit_held_is_counted_once(shop: Shop, twin: Shop, tmp_path: Path) -> None:
    path = csv(tmp_path)
    marked: list[Link] = []
    lost: list[Link] = []

    def judge(link: Link, data: bytes) -> bool:
        if b"bytes_read=" in data and not lost:
            marked.append(link)
        if link in marked and b"COMMIT" in data and not lost:
            lost.append(link)
            link.swallow = True
        return True

    with through(shop, judge) as disturbed:
        job = disturbed.run(path, "events")

    assert len(lost) == 1
    assert sums(job) == sums(twin.run(path, "events"))
    assert job.unchanged == 0


def test_nobody_waits_longer_than_the_lease(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings.model_copy(update={"lease_seconds": 0.3})
    breaking = Breaking(b"INSERT INTO event_name", 1_000)

    with (
        through(replace(shop, settings=settings), breaking) as disturbed,
        pytest.raises((OperationalError, psycopg.OperationalError)),
    ):
        disturbed.run(csv(tmp_path), "events")

    assert breaking.left < 999


def test_who_is_told_to_stop_does_not_wait() -> None:
    patience = Patience(60.0, lambda: True)

    with pytest.raises(TurnEndedError):
        patience.bears(OperationalError("SELECT", {}, Exception()))


def test_what_is_no_outage_is_not_borne() -> None:
    assert not Patience(60.0, lambda: False).bears(ValueError())
