"""The two checkers find what they are for, and pass a clean tree."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
CLEAN = '"""A clean file."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n'


def check(tool: str, clone: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, TOOLS / tool, clone], capture_output=True, text=True, check=False
    )


def tree(clone: Path, files: dict[str, str]) -> None:
    for name, text in {"core/clean.py": CLEAN, "tests/test_clean.py": CLEAN, **files}.items():
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_clean_tree_passes_with_its_figures(tmp_path: Path) -> None:
    tree(tmp_path, {})

    done = check("check_style.py", tmp_path)

    assert done.returncode == 0
    assert "return types 100%" in done.stdout


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("core/long.py", "x = 1\n" * 301, "core/long.py: 301 lines"),
        ("tests/test_long.py", "x = 1\n" * 401, "tests/test_long.py: 401 lines"),
        (
            "core/big.py",
            "def big() -> None:\n" + "    x = 1\n" * 40,
            "core/big.py:1: big has 41 lines",
        ),
        (
            "core/wide.py",
            "def wide(a: int, b: int, c: int, d: int, e: int, f: int) -> None: ...\n",
            "wide has 6 positional parameters",
        ),
        ("core/bare.py", "def bare():\n    pass\n", "bare has no return type"),
        ("core/late.py", "def late() -> None:\n    import json\n", "late imports inside"),
        (
            "tests/test_patched.py",
            "def test_x(monkeypatch) -> None:\n    monkeypatch.setattr('a', 1)\n",
            "patches/mocks per test",
        ),
    ],
)
def test_each_breach_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    tree(tmp_path, {name: text})

    done = check("check_style.py", tmp_path)

    assert done.returncode == 1
    assert words in done.stdout


def test_an_import_cycle_is_found(tmp_path: Path) -> None:
    tree(tmp_path, {"core/a.py": "import core.b\n\n", "core/b.py": "import core.a\n\n"})

    done = check("check_style.py", tmp_path)

    assert done.returncode == 1
    assert "cycles: modules 1" in done.stdout


def test_addresses_of_indexes_and_folders_of_machines_are_found(tmp_path: Path) -> None:
    somebody, index = "/" + "home/somebody/code", "https://" + "pypi" + ".org/simple"
    tree(tmp_path, {"notes.md": f"see {somebody}\n", "lock.txt": f"\n--index {index}\n"})

    done = check("check_addresses.py", tmp_path)

    assert done.returncode == 1
    assert "notes.md:1: " in done.stdout
    assert "lock.txt:2: " in done.stdout


def test_paths_that_only_look_alike_are_left_alone(tmp_path: Path) -> None:
    tree(tmp_path, {"notes.md": "docs/work/plan.md and /v1/home and ${HOME}/work/x\n"})

    done = check("check_addresses.py", tmp_path)

    assert done.returncode == 0
