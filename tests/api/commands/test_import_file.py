"""`./carillon import`, as typed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.api.doors import Doors, open_doors, settings_for
from tests.repository_files import ROOT


def run(folder: Path, *arguments: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    settings = {"CARILLON_DATABASE_URL": database_url} if database_url else {}
    return _start(folder, ["-m", "api.cli", "import", *arguments], settings)


def run_all(
    folder: Path, wishes: Sequence[Sequence[str]], database_url: str
) -> subprocess.CompletedProcess[str]:
    """Type several commands into one process, which prints the exit code of each."""
    program = f"from api.cli import main\nfor wish in {wishes!r}: print(main(['import', *wish]))"
    return _start(folder, ["-c", program], {"CARILLON_DATABASE_URL": database_url})


def _start(
    folder: Path, arguments: Sequence[str], settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CARILLON_STATE_DIR": str(folder), **settings},
    )


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("Customer ID,points\nu1,3\nu2,many\n")
    return path


Typed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def typed(doors: Doors, database_url: str, tmp_path: Path) -> Typed:
    """The command in a folder of its own, with a fresh app."""
    app = ("--app", doors.new_app().id)
    return lambda *arguments: run(tmp_path, "people", *app, *arguments, database_url=database_url)


MAP = ("--map", "Customer ID=external_id", "--map", "points=attributes.points:int")


def test_the_sum_and_the_bad_lines_are_printed(typed: Typed, tmp_path: Path, people: Path) -> None:
    errors = tmp_path / "errors.txt"

    done = typed(str(people), *MAP, "--errors", str(errors))

    expected = "line 3: points: must be a whole number such as 42"
    assert done.returncode == 3
    assert "2 people read from people.csv: 1 created" in done.stdout
    assert expected in done.stdout
    assert errors.read_text() == expected + "\n"


def test_a_name_in_no_encoding_keeps_no_file_from_being_imported(
    typed: Typed, tmp_path: Path, people: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"K\xfcnden\x1b[31m\n.csv")
    odd.write_bytes(people.read_bytes())

    done = typed(str(odd), *MAP)

    assert done.returncode == 3, done.stderr
    assert "read from K\ufffdnden[31m.csv: 1 created" in done.stdout


def test_the_sum_is_one_object_when_asked(typed: Typed, people: Path) -> None:
    done = typed(str(people), "--map", "Customer ID=external_id", "--json")

    assert done.returncode == 0
    assert {"created": 2, "failed": 0, "state": "finished"}.items() <= json.loads(
        done.stdout
    ).items()


BAD_FILES: dict[str, tuple[bytes | None, str]] = {
    "empty.csv": (b"", "is empty"),
    "header.csv": (b"external_id,a\n", "no line to import"),
    "latin.csv": (b"external_id,n\xe9\nu1,x\n", "iconv"),
    "quotes.csv": (b'external_id,"a\nu1,x\n', "quote"),
    "columns.csv": (b"name,points\nAda,1\n", "No column gives external_id"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
    "missing.csv": (None, "There is no file"),
    ".": (None, "is not a file"),
}
BAD_OPTIONS = {
    ("--map", "points=externalid"): "no target 'externalid'",
    ("--map", "points"): "COLUMN=TARGET",
    ("--delimiter", "::"): "one character",
    ("--app", "app_none"): "no app 'app_none'",
    ("--app", "app_\udcfc"): "no app 'app_\\udcfc'",
    ("--map", "points=attributes.\udcfc"): "must be UTF-8",
    ("--errors", "missing/errors.txt"): "errors.txt can not be written: No such file",
    ("--errors", "."): "can not be written: Is a directory",
}


def test_what_can_not_be_imported_is_one_clear_line_each(
    doors: Doors, database_url: str, tmp_path: Path, people: Path
) -> None:
    app = ("--app", doors.new_app().id)
    for name, (content, _) in BAD_FILES.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    wishes: list[tuple[str, ...]] = [(name, *app) for name in BAD_FILES]
    wishes += [(str(people), *app, *options) for options in BAD_OPTIONS]

    done = run_all(tmp_path, [("people", *wish) for wish in wishes], database_url)

    lines = done.stderr.splitlines()
    words = [words for _, words in BAD_FILES.values()] + list(BAD_OPTIONS.values())
    assert done.stdout.split() == ["1"] * len(wishes)
    assert len(lines) == len(wishes)
    for line, expected in zip(lines, words, strict=True):
        assert line.startswith("carillon: ")
        assert expected in line


def test_the_app_may_be_left_out_while_there_is_only_one(
    fresh_database: str, redis_url: str, tmp_path: Path, people: Path
) -> None:
    none = run(tmp_path, "people", str(people), *MAP, database_url=fresh_database)
    with open_doors(settings_for(fresh_database, redis_url)) as own:
        own.new_app()
        one = run(tmp_path, "people", str(people), *MAP, database_url=fresh_database)
        own.new_app()
    two = run(tmp_path, "people", str(people), *MAP, database_url=fresh_database)

    assert "There is no app yet" in none.stderr
    assert one.returncode == 3
    assert "Name one: --app APP_ID" in two.stderr


def test_without_a_database_it_says_which_setting_is_missing(tmp_path: Path, people: Path) -> None:
    done = run(tmp_path, "people", str(people), *MAP)

    assert done.returncode == 1
    assert "CARILLON_DATABASE_URL is not set" in done.stderr
