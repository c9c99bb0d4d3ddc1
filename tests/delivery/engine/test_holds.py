"""Whom of a window to send to: what is on hold waits, the others do not notice."""

from datetime import UTC, datetime
from typing import Any

import pytest

from delivery.engine.holds import cut
from delivery.engine.ports import Control
from delivery.engine.repository import Found
from delivery.pacing.standing import Standing


def control(platforms: list[str] | None, held_seconds: float = 30.0) -> Control:
    values: dict[str, Any] = dict.fromkeys(Control.__dataclass_fields__)
    return Control(
        **{
            **values,
            "now": datetime.now(UTC),
            "held_platforms": platforms,
            "held_seconds": held_seconds,
            "pacer": Standing("", 0, "redis", 5.0, 0.0),
        }
    )


def found(*platforms: str) -> list[Found]:
    """Return what was found of a recipient on each platform; `gone` has no target any more."""
    return [
        (place, place + 100, None, platform, None, None, 7, "token", "token", None,
         "retired_before_send" if platform == "gone" else None)
        for place, platform in enumerate(platforms)
    ]  # fmt: skip


def positions(made: Any) -> tuple[list[int], list[int], list[int]]:
    """Return who is sent to, who ends and who waits."""
    sent = [one.position for one in made.recipients]
    return sent, [one.position for one in made.ended], [position for position, _ in made.held]


def test_without_a_hold_everybody_is_sent_to() -> None:
    made = cut(found("ios", "android", "gone"), control(None), 500)

    assert positions(made) == ([0, 1], [2], [])
    assert list(made.positions) == [0, 1, 2]


def test_platforms_on_hold_wait_until_it_ends() -> None:
    made = cut(found("ios", "android", "gone", "web"), control(["ios", "web"], 12.3), 500)

    assert positions(made) == ([1], [2], [0, 3])
    assert [seconds for _, seconds in made.held] == [13.0, 13.0]
    assert list(made.positions) == [0, 1, 2, 3]


def test_after_a_hold_one_of_a_window_is_tried() -> None:
    made = cut(found("ios", "android", "ios", "ios"), control(["ios"], -1.0), 500)

    assert positions(made) == ([0, 1], [], [2, 3])
    assert [seconds for _, seconds in made.held] == [4.0, 4.0]


def test_when_nothing_was_refused_for_a_while_all_go() -> None:
    made = cut(found("ios", "android", "ios"), control(["ios"], -5.0), 500)

    assert positions(made) == ([0, 1, 2], [], [])


def test_those_for_whom_a_newer_message_goes_first_wait() -> None:
    everybody = found("ios", "android", "gone", "ios", "android")
    everybody[1] = (*everybody[1][:-1], "newer_first")
    everybody[3] = (*everybody[3][:-1], "newer_first")

    whole = cut(everybody, control(None), 500)
    held = cut(everybody, control(["ios"]), 500)
    short = cut(everybody, control(None), 1)

    assert (positions(whole), list(whole.behind)) == (([0, 4], [2], []), [1, 3])
    assert list(whole.positions) == [0, 1, 2, 3, 4]
    assert (positions(held), list(held.behind)) == (([4], [2], [0]), [1, 3])
    # Behind the last that fits nobody leaves the queue.
    assert (list(short.positions), list(short.behind)) == ([0, 1, 2], [1])


@pytest.mark.parametrize("platforms", [None, ["web"]])
def test_what_does_not_fit_goes_back(platforms: list[str] | None) -> None:
    made = cut(found("ios", "gone", "ios", "gone", "ios", "ios"), control(platforms), 2)

    assert positions(made) == ([0, 2], [1, 3], [])
    assert list(made.positions) == [0, 1, 2, 3]


def test_those_on_hold_behind_what_does_not_fit_go_back_too() -> None:
    made = cut(found("ios", "android", "ios", "android", "ios"), control(["ios"]), 1)

    assert positions(made) == ([1], [], [0])
    assert list(made.positions) == [0, 1]


def test_if_all_are_on_hold_the_whole_window_waits() -> None:
    made = cut(found("ios", "ios", "ios"), control(["ios"]), 1)

    assert positions(made) == ([], [], [0, 1, 2])
    assert list(made.positions) == [0, 1, 2]
