"""Imports keep their lease while nothing comes, take turns, and do not stop workers for ever."""

import gzip
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.imports import repository
from api.imports.command import Order, begin
from api.imports.duty import ImportDuty
from api.imports.errors import ImportTakenOverError
from api.imports.importers import importer_for
from api.imports.job import FileMark, ImportJob, Progress
from api.imports.opening import open_reader
from api.imports.reading import slices
from api.imports.record import ImportOptions
from api.imports.states import ImportState
from api.imports.storage import open_storage
from api.imports.work import Desk, work
from core.settings import Settings
from tests.api.imports.files import Shop, ignore, people_lines

_LEASE_SECONDS = 2.0
_BLANK_LINES = 90_000_000


class Slow(io.BytesIO):
    """A file whose rest comes only when it is let go, or when the test is over."""

    def __init__(self, data: bytes, waits_behind: int) -> None:
        super().__init__(data)
        self._waits_behind = waits_behind
        self.may_go_on = threading.Event()
        self.is_waiting = threading.Event()

    def readinto(self, buffer: Any, /) -> int:
        if self.tell() >= self._waits_behind:
            self.is_waiting.set()
            assert self.may_go_on.wait(60)
        return super().readinto(memoryview(buffer)[: self._waits_behind])


def desk_of(shop: Shop, should_stop: Callable[[], bool] = lambda: False, **change: Any) -> Desk:
    desk = Desk(
        shop.database,
        importer_for("people", shop.settings),
        100,
        _LEASE_SECONDS,
        should_stop,
        ignore,
    )
    return replace(desk, **change)


def begun(shop: Shop, path: Path) -> ImportJob:
    path.write_text(people_lines(300)[0])
    order = Order(shop.app_id, path, ImportOptions("people"), restarts=False)
    return begin(shop.database, order, _LEASE_SECONDS)


def stored(shop: Shop, settings: Settings, data: bytes) -> ImportJob:
    """Store an upload, as the API does."""
    with open_storage(settings).create() as (key, file):
        file.write(data)
    with shop.database.begin() as connection:
        mark = FileMark("upload", len(data), b"")
        return repository.add(connection, shop.app_id, mark, ImportOptions("people"), key)


def found(shop: Shop, job: ImportJob) -> ImportJob:
    with shop.database.begin() as connection:
        made = repository.find(connection, shop.app_id, job.public_id)
    assert made is not None
    return made


def lease_left(shop: Shop) -> float:
    sql = "SELECT extract(epoch FROM lease_until - now()) FROM import_job WHERE app_id = :app_id"
    return float(shop.rows(sql)[0][0])


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_a_lease_is_renewed_while_no_line_comes(shop: Shop, tmp_path: Path) -> None:
    job = begun(shop, tmp_path / "people.csv")
    file = Slow((tmp_path / "people.csv").read_bytes(), 5_000)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, desk_of(shop), job, file)
        assert file.is_waiting.wait(60)
        began = time.monotonic()
        leases = []

        def is_long_enough() -> bool:
            leases.append(lease_left(shop))
            return time.monotonic() - began > 1.5 * _LEASE_SECONDS

        wait_for(is_long_enough)
        file.may_go_on.set()

        assert working.result(60)
    assert min(leases) > 0
    assert found(shop, job).records == 300


def test_a_worker_whose_job_was_taken_over_stops_while_no_line_comes(
    shop: Shop, tmp_path: Path
) -> None:
    job = begun(shop, tmp_path / "people.csv")
    file = Slow((tmp_path / "people.csv").read_bytes(), 5_000)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, desk_of(shop), job, file)
        assert file.is_waiting.wait(60)
        begun(shop, tmp_path / "people.csv")
        wait_for(lambda: lease_left(shop) < _LEASE_SECONDS / 2)
        file.may_go_on.set()

        with pytest.raises(ImportTakenOverError):
            working.result(60)


@pytest.mark.timeout(60)
def test_a_worker_that_is_told_to_stop_does_so_among_blank_lines(
    shop: Shop, tmp_path: Path
) -> None:
    job = begun(shop, tmp_path / "people.csv")
    bomb = io.BytesIO(gzip.compress(b"external_id\na\n" + b"\n" * _BLANK_LINES, 1))
    started = time.monotonic()

    has_ended = work(desk_of(shop, lambda: time.monotonic() - started > 0.5), job, bomb)

    assert not has_ended
    assert time.monotonic() - started < 20
    assert lease_left_is_none(shop)


def lease_left_is_none(shop: Shop) -> bool:
    sql = "SELECT lease_until IS NULL FROM import_job WHERE app_id = :app_id"
    return bool(shop.rows(sql)[0][0])


def test_blank_lines_and_long_lines_end_a_slice(shop: Shop) -> None:
    long = b'{"external_id": "u", "attributes": {"a": "%s"}}\n' % (b"x" * 500_000)
    data = b'{"external_id": "u1"}\n' + (b" " * 999 + b"\n") * 20_000 + long * 40
    opened = open_reader(io.BytesIO(data), ImportOptions("people"))

    cut = list(slices(opened, importer_for("people", shop.settings), 5_000))

    ends = [piece.position for piece in cut]
    sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    assert max(sizes) <= (8 << 20) + 600_000
    assert cut[-1].line == 20_041
    assert sum(len(piece.items) + len(piece.faults) for piece in cut) == 41


def test_progress_among_blank_lines_is_kept(shop: Shop, tmp_path: Path) -> None:
    job = begun(shop, tmp_path / "people.csv")
    said: list[Progress] = []
    data = b'{"external_id": "a"}\n' + (b" " * 999 + b"\n") * 40_000

    work(
        desk_of(shop, lambda: len(said) > 1, said=lambda _job, done: said.append(done)),
        job,
        io.BytesIO(data),
    )

    assert 8_000_000 < found(shop, job).position == said[-1].position < 40_000_000
    assert found(shop, job).records == 1


@pytest.fixture
def house(shop: Shop, tmp_path: Path) -> Settings:
    """The settings of maintenance workers; no other import is due."""
    with shop.database.begin() as connection:
        connection.execute(text("DELETE FROM import_job WHERE stored_as IS NOT NULL"))
    return shop.settings.model_copy(update={"state_dir": tmp_path})


def test_an_import_that_stops_its_workers_again_and_again_fails_in_words(
    shop: Shop, house: Settings
) -> None:
    job = stored(shop, house, b"external_id\na\n")
    for _ in range(6):
        with shop.database.begin() as connection:
            assert repository.claim_due(connection, "dies", -1.0) is not None

    ImportDuty(house, shop.database).run(lambda: False)

    ended = found(shop, job)
    assert ended.state == ImportState.FAILED.value
    assert ended.failed_reason is not None
    assert "got no further than line 0" in ended.failed_reason
    assert list((house.state_dir / "imports").iterdir()) == []


def test_workers_that_got_further_or_left_in_good_order_are_not_counted(
    shop: Shop, house: Settings
) -> None:
    job = stored(shop, house, b"external_id\na\nb\n")
    step = Progress(12, 1, 12, 0, 0, 0, 0)
    for _ in range(4):
        with shop.database.begin() as connection:
            claimed = repository.claim_due(connection, "dies", -1.0)
    assert claimed is not None
    with shop.database.begin() as connection:
        assert repository.advance(connection, claimed, step, -1.0)
    for _ in range(9):
        with shop.database.begin() as connection:
            claimed = repository.claim_due(connection, "leaves", 60.0)
            assert claimed is not None
            repository.release(connection, claimed)

    ImportDuty(house, shop.database).run(lambda: False)

    assert found(shop, job).state == ImportState.FINISHED.value


def test_a_small_import_does_not_wait_for_the_end_of_another_apps_big_one(
    shop: Shop, twin: Shop, house: Settings
) -> None:
    big = stored(shop, house, people_lines(3_000)[0].encode())
    settings = house.model_copy(update={"import_turn_seconds": 0.001})
    arrivals: list[ImportJob] = []

    def should_stop() -> bool:
        # Called between slices: the small one comes while the big one is under way.
        if found(shop, big).records >= 200 and not arrivals:
            arrivals.append(stored(twin, house, b"external_id\nu1\nu2\n"))
        return bool(arrivals) and found(twin, arrivals[0]).state == ImportState.FINISHED.value

    ImportDuty(settings, shop.database).run(should_stop)

    assert found(twin, arrivals[0]).created == 2
    assert found(shop, big).records < 3_000
    ImportDuty(settings, shop.database).run(lambda: False)
    assert found(shop, big).created == 3_000


def test_apps_are_served_in_turn_and_each_in_the_order_of_its_uploads(
    shop: Shop, twin: Shop, house: Settings
) -> None:
    first = [stored(shop, house, b"external_id\na\n") for _ in range(3)]
    second = [stored(twin, house, b"external_id\na\n") for _ in range(2)]
    served = []
    for _ in range(5):
        with shop.database.begin() as connection:
            claimed = repository.claim_due(connection, "worker", 60.0)
            assert claimed is not None
            served.append(claimed.id)

    order = [first[0], second[0], first[1], second[1], first[2]]
    assert served == [job.id for job in order]
