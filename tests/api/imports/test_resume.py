"""An import that is killed and repeated ends as one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from api.imports import repository
from api.imports.command import Order, begin, go_on
from api.imports.errors import ImportTakenOverError
from api.imports.job import ImportJob
from api.imports.record import ImportOptions, Kind
from core.settings import Settings
from tests.api.imports.files import Shop, ignore, people_lines
from tests.repository_files import ROOT

_LIMIT_BYTES = 200_000_000
_SECONDS = 300.0
# A process starts with the peak of the one that forked it: this small one lies between.
_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale)
"""


def command(
    shop: Shop, path: Path, folder: Path, *options: str, kind: Kind = "people"
) -> subprocess.Popen[str]:
    """Start `./carillon import`; its last line tells the most memory it held, in bytes."""
    app_id = shop.rows("SELECT public_id FROM app WHERE id = :app_id")[0].public_id
    settings: Settings = shop.settings
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _MEASURED, sys.executable, "-P", "-m", "api.cli"),
            *("import", kind, str(path)),
            *("--app", app_id, "--json", *options),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CARILLON_DATABASE_URL": settings.require_database_url(),
            "CARILLON_STATE_DIR": str(folder),
            "CARILLON_IMPORT_SLICE_LINES": str(settings.import_slice_lines),
        },
    )


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert process.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline
        os.sched_yield()


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, int], int]:
    """Return what an import printed, and the most memory it held, in bytes."""
    printed, _ = process.communicate(timeout=_SECONDS)
    result, peak = printed.splitlines()
    return json.loads(result), int(peak)


def position(shop: Shop) -> int:
    return int(shop.rows("SELECT max(position) FROM import_job WHERE app_id = :app_id")[0][0] or 0)


def end_state(shop: Shop) -> tuple[str, str, int]:
    """Return hashes of everybody and of all bad lines, and how many jobs there were."""
    people = shop.rows(
        """SELECT md5(string_agg(row_text, chr(10) ORDER BY row_text)) FROM (
               SELECT (external_id, attributes, locale, time_zone, country)::text AS row_text
               FROM person WHERE app_id = :app_id) AS listed"""
    )[0][0]
    errors = shop.rows(
        """SELECT md5(string_agg(line || errors::text, chr(10) ORDER BY line))
           FROM import_error WHERE app_id = :app_id"""
    )[0][0]
    jobs = shop.rows("SELECT count(*) FROM import_job WHERE app_id = :app_id")[0][0]
    return people, errors, jobs


def kill_half_way(
    shop: Shop, path: Path, folder: Path, *options: str, kind: Kind = "people"
) -> int:
    """Kill an import behind the middle of its file; return where it was."""
    half = path.stat().st_size // 2
    process = command(shop, path, folder, *options, kind=kind)
    wait_for(lambda: position(shop) >= half, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=_SECONDS)
    return position(shop)


def test_killed_half_way_and_repeated_it_ends_as_if_it_had_not_been(
    shop: Shop, twin: Shop, tmp_path: Path
) -> None:
    text_of_file, bad = people_lines(20_000, bad_every=100)
    path = tmp_path / "people.csv"
    path.write_text(text_of_file)
    shop, twin = shop.in_slices(500), twin.in_slices(700)
    twin.run(path)

    left_at = kill_half_way(shop, path, tmp_path)
    printed, peak = ended(command(shop, path, tmp_path))

    assert path.stat().st_size // 2 <= left_at < path.stat().st_size
    assert (printed["records"], printed["created"], printed["failed"]) == (20_000, 19_800, 200)
    assert end_state(shop) == end_state(twin)
    assert set(shop.bad_lines(_job(shop))) == bad
    assert peak < _LIMIT_BYTES


def _job(shop: Shop) -> ImportJob:
    with shop.database.begin() as connection:
        return repository.list_after(connection, shop.app_id, 0, 1)[0]


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_a_million_lines_in_a_gigabyte_are_killed_and_repeated_in_flat_memory(
    shop: Shop, twin: Shop, tmp_path: Path
) -> None:
    shop, twin = shop.in_slices(5_000), twin.in_slices(5_000)
    bad = _write_gigabyte(tmp_path / "people.csv")
    path = tmp_path / "people.csv"
    options = ("--map", "padding=ignore")

    straight, peak = ended(command(twin, path, tmp_path, *options))
    kill_half_way(shop, path, tmp_path, *options)
    printed, second_peak = ended(command(shop, path, tmp_path, *options))

    assert path.stat().st_size > 1_000_000_000
    assert (straight["records"], straight["failed"]) == (1_000_000, 10_000)
    assert (printed["records"], printed["created"]) == (1_000_000, 990_000)
    assert set(shop.bad_lines(_job(shop))) == bad
    assert end_state(shop) == end_state(twin)
    assert max(peak, second_peak) < _LIMIT_BYTES


def _write_gigabyte(path: Path) -> set[int]:
    padding, bad = "x" * 980, set()
    with path.open("w") as file:
        file.write("external_id,points,locale,time_zone,padding\n")
        for number in range(1_000_000):
            zone = "Europe/Berlin"
            if number % 100 == 99:
                zone = "Mars/Olympus"
                bad.add(number + 2)
            file.write(f"customer-{number:07},{number % 977},de-DE,{zone},{padding}\n")
    return bad


def test_a_second_process_takes_over_and_the_first_commits_nothing_more(
    shop: Shop, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(people_lines(1_000)[0])
    order = Order(shop.app_id, path, ImportOptions("people"), restarts=False)
    first = begin(shop.database, order, 60.0)
    second = begin(shop.database, order, 60.0)

    with pytest.raises(ImportTakenOverError):
        go_on(shop.database, shop.settings, first, path, ignore)

    assert shop.people() == {}
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    assert go_on(shop.database, shop.settings, second, path, ignore).created == 1_000


def test_a_changed_file_other_options_and_restart_begin_again(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(people_lines(300)[0])
    order = Order(shop.app_id, path, ImportOptions("people"), restarts=False)
    first = begin(shop.database, order, 60.0)

    other = begin(
        shop.database,
        Order(shop.app_id, path, ImportOptions("people", empty="clear"), restarts=False),
        60.0,
    )
    again = begin(
        shop.database, Order(shop.app_id, path, ImportOptions("people"), restarts=True), 60.0
    )
    path.write_text(people_lines(301)[0])
    changed = begin(shop.database, order, 60.0)

    states = {
        row.id: row.state
        for row in shop.rows("SELECT id, state FROM import_job WHERE app_id = :app_id")
    }
    assert states == {
        first.id: "cancelled",
        other.id: "running",
        again.id: "running",
        changed.id: "running",
    }


def test_a_slice_that_meets_a_deadlock_is_written_again(shop: Shop, tmp_path: Path) -> None:
    # The other transaction holds the last person and then wants the first one.
    path = tmp_path / "people.csv"
    path.write_text("external_id,points\na,1\nz,1\n")
    shop.run(path)
    path.write_text("external_id,points\na,2\nz,2\n")
    lock = text("SELECT 1 FROM person WHERE app_id = :a AND external_id = :n FOR UPDATE")
    with shop.database.connect() as other:
        other.execute(text("SET deadlock_timeout = '1h'"))
        other.execute(lock, {"a": shop.app_id, "n": "z"})
        process = command(shop, path, tmp_path)
        wait_for(lambda: _is_waited_for(shop), process)
        other.execute(lock, {"a": shop.app_id, "n": "a"})
        other.rollback()
    printed, _ = ended(process)

    assert (printed["updated"], printed["failed"]) == (2, 0)


def _is_waited_for(shop: Shop) -> bool:
    return bool(
        shop.rows(
            """SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
               AND datname = current_database() AND :app_id > 0"""
        )
    )
