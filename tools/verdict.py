"""The last word of a continuous run: the demo's sum and what the tests said, as one exit code.

    python tools/verdict.py --demo demo.json --tests tests.xml [--external external.xml]
        [FAILED_STEP ...]

Only the standard library is needed. The last line printed is the count of the tests.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

TERMINAL = ("accepted", "gone", "rejected", "expired", "unknown", "suppressed")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tests ended how; an error counts as a failure.

    `expected` are failures of the SDKs that the documentation lists; they were run.
    """

    passed: int
    failed: int
    skipped: int
    expected: int = 0

    @property
    def line(self) -> str:
        """The counts in plain words."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def read_tests(path: Path) -> Counts:
    """Return the counts of a JUnit report; without a readable one, no test passed."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return Counts(0, 0, 0)

    def total(*names: str) -> int:
        suites = list(root.iter("testsuite"))
        return sum(int(suite.get(name, "0")) for suite in suites for name in names)

    failed, left_out = total("failures", "errors"), total("skipped")
    # pytest reports an expected failure as a skipped test of its own type.
    expected = sum(one.get("type") == "pytest.xfail" for one in root.iter("skipped"))
    return Counts(total("tests") - failed - left_out, failed, left_out - expected, expected)


def judge_tests(tests: Counts) -> list[str]:
    """Return what is wrong with the tests: none at all, failures, or skips, which hide things."""
    wrong = []
    if not tests.passed:
        wrong.append("no test passed")
    if tests.failed:
        wrong.append(f"{tests.failed} tests failed")
    if tests.skipped:
        wrong.append(f"{tests.skipped} tests were skipped")
    return wrong


def judge_demo(text: str) -> list[str]:
    """Return what is wrong with the demo's JSON line, which is the last line of `text`."""
    lines = text.strip().splitlines() or [""]
    try:
        result: dict[str, Any] = json.loads(lines[-1])
        ended = sum(int(result[state]) for state in TERMINAL)
        targeted, accepted = int(result["targeted"]), int(result["accepted"])
        at_gateway = int(result["gateway_accepted"])
    except (ValueError, KeyError, TypeError) as error:
        return [f"the demo printed no result ({type(error).__name__}: {error})"]
    wrong = []
    if targeted <= 0 or accepted <= 0:
        wrong.append("the demo sent nothing")
    if targeted != ended:
        wrong.append(f"the demo targeted {targeted} and accounts for {ended}")
    if accepted != at_gateway:
        wrong.append(f"the demo says {accepted} accepted, its gateways {at_gateway}")
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Print the verdict; return 0 only if nothing at all is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--tests", type=Path, required=True)
    parser.add_argument("--external", type=Path, help="the report of the external servers")
    parser.add_argument("failed", nargs="*", help="steps that failed by their exit code")
    args = parser.parse_args(arguments)
    tests = read_tests(args.tests)
    wrong = [f"step {name} failed" for name in args.failed]
    wrong += judge_tests(tests)
    external = read_tests(args.external) if args.external else None
    wrong += [f"external servers: {words}" for words in judge_tests(external)] if external else []
    wrong += judge_demo(args.demo.read_text() if args.demo.exists() else "")
    for line in wrong or ["everything holds"]:
        print(line)
    print(f"external servers: {external.line if external else 'not run'}")
    print(tests.line, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
