"""Settings are checked before anything starts."""

import os
import subprocess
import sys

import pytest

from tests.repository_files import ROOT


def started_with(**variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own."""
    named = {f"CARILLON_{name.upper()}": value for name, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-c", "from core.settings import read_settings; read_settings()"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("lease", "margin"), [("5", "5"), ("5", "60"), ("6.9", "5")])
def test_a_lease_that_leaves_no_time_to_send_is_refused_in_words(lease: str, margin: str) -> None:
    done = started_with(lease_seconds=lease, lease_margin_seconds=margin)

    assert done.returncode != 0
    assert (
        "SettingsError: Wrong setting: CARILLON_LEASE_SECONDS must be at least two seconds longer "
        "than CARILLON_LEASE_MARGIN_SECONDS" in done.stderr
    )


def test_a_lease_with_time_to_send_is_taken() -> None:
    assert started_with(lease_seconds="7", lease_margin_seconds="5").returncode == 0


def test_a_wrong_setting_is_named() -> None:
    done = started_with(lease_seconds="never")

    assert "CARILLON_LEASE_SECONDS: Input should be a valid number" in done.stderr


@pytest.mark.parametrize("name", ["ramp_seconds", "lease_seconds", "request_timeout_seconds"])
@pytest.mark.parametrize("value", ["inf", "nan", "1e999"])
def test_no_duration_is_endless(name: str, value: str) -> None:
    done = started_with(**{name: value})

    assert done.returncode != 0
    assert f"CARILLON_{name.upper()}" in done.stderr
