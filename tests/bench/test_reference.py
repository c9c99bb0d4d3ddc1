"""docs/reference/benchmarks.md names every option of the benchmarks and every key they print."""

import re

import pytest

from api.cli import main
from api.commands.bench import BENCHMARKS
from tests.bench.reference import SECTIONS, undocumented_keys
from tests.bench.running import result_of, run


def test_every_benchmark_has_its_section() -> None:
    assert SECTIONS.keys() == BENCHMARKS.keys()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_option_stands_in_its_section(name: str) -> None:
    done = run(f"bench.{name}", "--help")

    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)`", SECTIONS[name]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("send", ("--pushes", "100", "--alternations", "1", "--peers", "none")),
        ("soak", ("--pushes", "1000")),
    ],
)
def test_every_key_stands_in_its_section(name: str, words: tuple[str, ...]) -> None:
    found = result_of(run("api.cli", "bench", name, "--json", *words))

    assert undocumented_keys(name, found) == []


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
