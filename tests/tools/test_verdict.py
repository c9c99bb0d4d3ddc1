"""The last word of a continuous run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.verdict import Counts, judge_demo, judge_tests, main, read_tests

_DEMO: dict[str, Any] = {
    "targeted": 10,
    "accepted": 6,
    "gone": 1,
    "rejected": 1,
    "expired": 0,
    "unknown": 0,
    "suppressed": 2,
    "gateway_accepted": 6,
}


def _report(folder: Path, **counts: int) -> Path:
    attributes = " ".join(f'{name}="{number}"' for name, number in counts.items())
    path = folder / "tests.xml"
    path.write_text(f"<testsuites><testsuite {attributes} /></testsuites>")
    return path


def test_errors_count_as_failures(tmp_path: Path) -> None:
    tests = read_tests(_report(tmp_path, tests=9, failures=1, errors=2, skipped=1))

    assert tests == Counts(passed=5, failed=3, skipped=1)
    assert tests.line == "5 passed, 3 failed, 1 skipped"


def test_expected_failures_are_no_skips(tmp_path: Path) -> None:
    path = tmp_path / "tests.xml"
    known = '<testcase name="a"><skipped type="pytest.xfail" message="F-1" /></testcase>'
    suite = f'<testsuite tests="4" failures="1" errors="0" skipped="1">{known}</testsuite>'
    path.write_text(f"<testsuites>{suite}</testsuites>")

    tests = read_tests(path)

    assert tests == Counts(passed=2, failed=1, skipped=0, expected=1)
    assert judge_tests(tests) == ["1 tests failed"]


@pytest.mark.parametrize("content", [None, "", "<testsuites>"])
def test_without_a_report_nothing_passed(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tests.xml"
    if content is not None:
        path.write_text(content)

    assert read_tests(path) == Counts(0, 0, 0)


@pytest.mark.parametrize(
    ("tests", "wrong"),
    [
        (Counts(5, 0, 0), []),
        (Counts(0, 0, 0), ["no test passed"]),
        (Counts(5, 2, 0), ["2 tests failed"]),
        (Counts(5, 0, 1), ["1 tests were skipped"]),
    ],
)
def test_only_passed_tests_are_well(tests: Counts, wrong: list[str]) -> None:
    assert judge_tests(tests) == wrong


def test_a_demo_that_adds_up_is_well() -> None:
    assert judge_demo("progress\n" + json.dumps(_DEMO) + "\n") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targeted": 11}, "targeted 11 and accounts for 10"),
        ({"gateway_accepted": 5}, "6 accepted, its gateways 5"),
        ({"targeted": 0, "accepted": 0}, "sent nothing"),
        ({"gone": None}, "printed no result"),
    ],
)
def test_a_demo_that_does_not_add_up_is_wrong(change: dict[str, Any], words: str) -> None:
    assert words in " ".join(judge_demo(json.dumps(_DEMO | change)))


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "{}"])
def test_a_demo_without_a_result_is_wrong(text: str) -> None:
    assert "printed no result" in judge_demo(text)[0]


def test_the_count_of_the_tests_is_the_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps(_DEMO))
    arguments = ["--demo", str(demo), "--tests", str(_report(tmp_path, tests=3))]

    codes = main(arguments), main([*arguments, "check"])

    assert codes == (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "everything holds",
        "external servers: not run",
        "3 passed, 0 failed",
        "step check failed",
        "external servers: not run",
        "3 passed, 0 failed",
    ]


def test_what_fails_on_external_servers_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps(_DEMO))
    external = tmp_path / "external"
    external.mkdir()
    tests = ["--tests", str(_report(tmp_path, tests=3))]
    tests += ["--external", str(_report(external, tests=5, failures=1))]

    code = main(["--demo", str(demo), *tests])

    assert code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "external servers: 1 tests failed",
        "external servers: 4 passed, 1 failed",
        "3 passed, 0 failed",
    ]
