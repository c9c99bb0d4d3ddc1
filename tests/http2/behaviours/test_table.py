"""The table of behaviours is whole and true."""

import re
from pathlib import Path

from tests.delivery.sdk.failures import FAILURES
from tests.http2.behaviours.behaviours import (
    BEHAVIOURS,
    EXPECTED_FAILURES,
    TRANSPORT_KINDS,
    holds_for,
    table,
)
from tests.http2.behaviours.sdk_failures import NOT_ASKED, SOMETIMES
from tests.http2.behaviours.transports import MAKERS, SHAPES

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def names_in(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))


def listed() -> set[str]:
    named = (name.rpartition("::") for one in BEHAVIOURS for name in one.tests)
    return {test if path else f"test_{test}" for path, _, test in named if _is_here(path)}


def _is_here(path: str) -> bool:
    return not path or (ROOT / path).parent == HERE


def test_every_behaviour_is_in_the_table_once() -> None:
    assert [one.number for one in BEHAVIOURS] == list(range(1, 47))
    assert len({one.name for one in BEHAVIOURS}) == 46


def test_every_named_test_exists() -> None:
    for one in BEHAVIOURS:
        there = names_in(HERE / f"{one.file}.py")
        for name in one.tests:
            path, elsewhere, test = name.partition("::")
            if elsewhere:
                assert test in names_in(ROOT / path), name
            else:
                assert f"test_{name}" in there, name


def test_every_test_is_in_the_table() -> None:
    there = {
        name
        for path in HERE.glob("test_*.py")
        if path.name != Path(__file__).name
        for name in names_in(path)
    }

    assert there == listed()


def test_every_behaviour_has_a_test() -> None:
    assert all(one.tests for one in BEHAVIOURS)


def test_our_own_transport_is_expected_to_hold_them_all() -> None:
    assert all("http2" in holds_for(one) for one in BEHAVIOURS)


def test_failures_are_expected_of_transports_and_tests_that_exist() -> None:
    assert MAKERS.keys() == SHAPES.keys() == EXPECTED_FAILURES.keys() == set(TRANSPORT_KINDS)
    for failures in (*EXPECTED_FAILURES.values(), *SOMETIMES.values()):
        assert {case.partition("[")[0] for case in failures} <= listed()
        assert set(failures.values()) <= FAILURES.keys()
    assert set().union(*NOT_ASKED.values()) <= listed()


def test_the_docs_say_that_all_hold() -> None:
    words = "all 46 hold for the whole platform"

    assert words in " ".join((ROOT / "docs" / "reference" / "transports.md").read_text().split())


def test_the_docs_show_for_whom_each_behaviour_holds() -> None:
    assert table() in (ROOT / "docs" / "reference" / "transports.md").read_text()
