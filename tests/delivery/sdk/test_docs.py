"""The page on transports against the tests that prove it."""

import re
from importlib import metadata

from tests.delivery.sdk import test_known_failures
from tests.delivery.sdk.failures import FAILURES, table
from tests.http2.behaviours.sdk_failures import SDK_FAILURES, SOMETIMES
from tests.repository_files import ROOT

PAGE = (ROOT / "docs" / "reference" / "transports.md").read_text()


def test_the_page_shows_every_known_failure() -> None:
    assert table() in PAGE


def test_every_known_failure_is_shown_by_a_test() -> None:
    names = " ".join(vars(test_known_failures))
    shown = {f"{sdk.upper()}-{number}" for sdk, number in re.findall(r"\btest_([af])(\d+)_", names)}

    for failures in (*SDK_FAILURES.values(), *SOMETIMES.values()):
        shown |= set(failures.values())
    assert shown == FAILURES.keys()


def test_the_page_names_the_versions_that_were_tested() -> None:
    for package in ("firebase-admin", "aioapns"):
        version = ".".join(metadata.version(package).split(".")[:2])
        assert f"{package} {version}" in PAGE
