"""Logs are JSON lines of events with fields."""

import json
import logging

import pytest

from core.telemetry import JsonFormatter, log_event


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    found: dict[str, object] = json.loads(JsonFormatter().format(caplog.records[-1]))
    return found


def test_an_event_carries_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event(logging.getLogger("test"), "push.recorded", push_id=7)

    entry = logged(caplog)
    assert (entry["event"], entry["push_id"], entry["level"]) == ("push.recorded", 7, "info")


@pytest.mark.parametrize("name", ["message", "name", "args", "created", "module"])
def test_no_field_name_can_spoil_what_it_tells_about(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.INFO):
        log_event(logging.getLogger("test"), "message.cut", **{name: "x"})

    assert logged(caplog)[f"{name}_"] == "x"
