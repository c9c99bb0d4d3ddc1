"""A gateway is away: the message says so in words, and ends when the gateway is back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.services.pair import Urls
from bench.relay import Relay
from tests.chaos.stage import Stage, open_stage
from tests.deadlines import wait_until
from tests.fixtures.sandbox import Sandbox

_DEVICES = 300


@pytest.fixture
def stage(shared_urls: Urls, line: tuple[Relay, Sandbox], tmp_path: Path) -> Iterator[Stage]:
    """A platform that reaches its gateways over the line alone."""
    with open_stage(shared_urls, line[1], tmp_path) as made:
        yield made


def waits(stage: Stage, message_id: str) -> dict[str, dict[str, Any]]:
    """Return what the recipients of a message wait for, by reason."""
    return {one["reason"]: one for one in stage.scene.read(message_id)["waiting"]}


def test_the_message_says_so_and_ends_when_the_gateway_is_back(
    stage: Stage, line: tuple[Relay, Sandbox]
) -> None:
    stage.add_devices(_DEVICES)
    line[0].cut()
    stage.crew.start()
    message_id = stage.send()

    def all_wait() -> bool:
        found = [int(one["recipients"]) for one in waits(stage, message_id).values()]
        return sum(found) == _DEVICES

    wait_until(all_wait, 30, "everybody waits")
    found = waits(stage, message_id)
    line[0].open()
    books = stage.wait_end(message_id)

    assert found.keys() <= {"gateway_unreachable", "oauth_unavailable", "project_frozen"}
    assert "can not be reached" in found["gateway_unreachable"]["words"]
    assert all(one["words"] and one["next_attempt_at"] for one in found.values())
    assert books.message["counts"]["accepted"] == _DEVICES
    assert books.duplicates == 0


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_what_was_on_its_way_ends_as_the_policy_says(
    stage: Stage, line: tuple[Relay, Sandbox], policy: str
) -> None:
    stage.add_devices(_DEVICES)
    stage.scene.sandbox.control.profile(latency=300)
    stage.crew.start()
    message_id = stage.send(policy=policy)

    stage.wait_accepted(_DEVICES // 3)
    line[0].cut()
    wait_until(lambda: bool(waits(stage, message_id)), 30, "somebody waits")
    line[0].open()
    books = stage.wait_end(message_id)

    limit = stage.scene.settings.in_doubt_limit
    if policy == "at_most_once":
        assert books.duplicates == 0
        assert 0 < books.message["counts"]["unknown"] <= limit
    else:
        assert books.message["counts"]["accepted"] == _DEVICES
        assert 0 < books.duplicates <= limit
