"""docs/reference/benchmarks.md names every option of the benchmarks and every key they print."""

import re

import pytest

from api.cli import main
from api.commands.bench import BENCHMARKS
from tests.bench.running import result_of, run
from tests.repository_files import ROOT

_PAGE = (ROOT / "docs" / "reference" / "benchmarks.md").read_text()
_SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", _PAGE, re.MULTILINE | re.DOTALL))


def test_every_benchmark_has_its_section() -> None:
    assert _SECTIONS.keys() == BENCHMARKS.keys()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_option_stands_in_its_section(name: str) -> None:
    done = run(f"bench.{name}", "--help")

    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)`", _SECTIONS[name]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("send", ("--pushes", "100", "--alternations", "1", "--peers", "none")),
        ("soak", ("--pushes", "1000")),
        ("campaign", ("--devices", "500")),
    ],
)
def test_every_key_stands_in_its_section(name: str, words: tuple[str, ...]) -> None:
    found = result_of(run("api.cli", "bench", name, "--json", *words))

    inner = [key for one in ("conditions", "faults") for key in found.get(one, ())]
    options = set(re.findall(r"`--([a-z-]+)`", _SECTIONS[name]))
    missing = [
        key
        for key in (*found, *inner)
        if f"`{key}`" not in _SECTIONS[name] and key.replace("_", "-") not in options
    ]
    assert missing == []


def test_an_unknown_benchmark_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "sned"])

    assert left.value.code == 2
    assert "invalid choice: 'sned'" in capsys.readouterr().err


def test_a_benchmark_explains_itself() -> None:
    done = run("api.cli", "bench", "soak", "--help")

    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./carillon bench soak")


def test_a_benchmark_hands_its_exit_code_on() -> None:
    assert run("api.cli", "bench", "send", "--peers", "gorush").returncode == 2
