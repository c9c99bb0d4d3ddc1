"""The command line: help, unknown commands, errors in one line, the environment's entry."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("sh", "cksum", "grep", "dirname", "readlink")


def enter(folder: Path, programs: Path) -> "subprocess.CompletedProcess[str]":
    """Run a copy of ./carillon that finds only the given programs, and no environment."""
    folder.mkdir()
    shutil.copy2(ROOT / "carillon", folder)
    shutil.copy2(ROOT / "requirements.txt", folder)
    return subprocess.run(
        [folder / "carillon", "--help"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in NEEDED:
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    path.chmod(0o755)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--help"])

    assert code == 0
    assert all(f"  {name} " in capsys.readouterr().out for name in list(COMMANDS)[:1])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])

    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: ./carillon {name}")


def test_an_unknown_command_names_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["tset"])

    assert code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Did you mean 'test'?" in error


def test_a_known_error_is_one_line_with_the_cure(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CARILLON_")}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "migrate"],
        cwd=ROOT,
        env={**environment, "CARILLON_DATABASE_POOL_SIZE": "many"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("carillon: Wrong setting: CARILLON_DATABASE_POOL_SIZE")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no address at all", "CARILLON_DATABASE_URL is no address"),
        ("nosuch://127.0.0.1/x", "CARILLON_DATABASE_URL names no PostgreSQL"),
        ("postgresql://127.0.0.1:1/x", "PostgreSQL does not answer"),
    ],
)
def test_a_wrong_database_is_one_line_with_the_cure(tmp_path: Path, url: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "migrate"],
        cwd=ROOT,
        env={**os.environ, "CARILLON_STATE_DIR": str(tmp_path), "CARILLON_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "migrate"],
        cwd=ROOT,
        env={
            **os.environ,
            "CARILLON_STATE_DIR": str(tmp_path),
            "CARILLON_DATABASE_URL": "postgresql://127.0.0.1:1/x?no_such_option=1",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in done.stderr
    assert "Traceback" in log.read_text()


def test_the_entry_passes_over_shims_that_fail(tmp_path: Path, programs: Path) -> None:
    script(programs / "python3.13", "exit 127")

    done = enter(tmp_path / "clone", programs)

    assert done.returncode == 1
    assert done.stderr.startswith("carillon: no Python 3.11 to 3.14 found.")
    assert done.stdout == ""


def test_the_entry_names_the_package_without_ensurepip(tmp_path: Path, programs: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    script(
        programs / f"python{version}",
        f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"',
    )
    script(programs / "apt-get", "exit 0")

    done = enter(tmp_path / "clone", programs)

    assert done.returncode == 1
    assert done.stderr == (
        f"carillon: Python {version} can not make environments (no ensurepip). "
        f"Install it: apt-get install python{version}-venv\n"
    )
    assert not (tmp_path / "clone" / ".venv").exists()
