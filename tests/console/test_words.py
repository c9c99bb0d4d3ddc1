"""Every state and reason has its sentence, in the console and on its page."""

import re
from pathlib import Path
from typing import get_args

import pytest

from console.words import LIMITS, MESSAGE_STATES, REASONS, STATES, WAITING, takes, waits_for, why
from delivery.deliveries import words
from delivery.forecasts.arithmetic import Limit
from delivery.outcome import Gone, Rejected, Retry
from delivery.providers.apns_outcome import _OUTCOMES
from delivery.states import MessageState, RecipientState, SuppressedReason

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "reasons.md"
# A fault of ours in what we send: whoever sees it needs the gateway's own name of it.
_OURS = {
    "bad_expiration_date", "bad_message_id", "bad_priority", "duplicate_headers",
    "invalid_push_type", "missing_device_token", "payload_empty", "bad_path", "method_not_allowed",
}  # fmt: skip


def test_every_state_has_a_sentence() -> None:
    assert {state.value for state in RecipientState} | {"pending"} == STATES.keys()
    assert {state.value for state in MessageState} == MESSAGE_STATES.keys()


def test_every_reason_of_ours_has_a_sentence() -> None:
    assert {reason.value for reason in SuppressedReason} <= REASONS.keys()


def test_what_apple_says_about_a_device_has_a_sentence() -> None:
    said = {one.reason for one in _OUTCOMES.values() if isinstance(one, Gone | Rejected)}

    assert said - _OURS <= REASONS.keys()


def test_a_retry_always_reads_as_waiting() -> None:
    retries = {one.reason for one in _OUTCOMES.values() if isinstance(one, Retry)}

    assert all("again" in waits_for(reason) for reason in retries)


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (("accepted", None, "projects/p/messages/1"), STATES["accepted"]),
        (("suppressed", "no_permission", None), REASONS["no_permission"]),
        (
            ("suppressed", "render_error", "title: 'name' is undefined"),
            f"{REASONS['render_error']} (title: 'name' is undefined)",
        ),
        (("rejected", "bad_path", None), f"{STATES['rejected']} It said: bad path."),
        (("pending", None, None), "Its turn has not come yet."),
        (("pending", "message_paused", None), WAITING["message_paused"]),
        (("new_state", None, None), "new_state"),
    ],
)
def test_what_became_of_somebody_is_a_sentence(
    ended: tuple[str, str | None, str | None], words: str
) -> None:
    assert why(*ended) == words


def test_the_words_of_the_api_go_first_where_there_are_some() -> None:
    assert waits_for("invalid_provider_token", "Check the key.") == "Check the key."


def test_a_fault_of_the_credential_is_not_said_to_heal_by_itself() -> None:
    assert waits_for("invalid_provider_token") == (
        "It waits to be tried again. The reason given: invalid provider token."
    )


def test_the_traces_of_the_api_say_the_same() -> None:
    assert (words.STATES, words.REASONS) == (STATES, REASONS)


def test_the_page_lists_every_sentence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", _PAGE.read_text(), re.MULTILINE)

    assert rows == [*STATES.items(), *REASONS.items(), *WAITING.items()]


def test_whatever_limits_a_message_has_its_words() -> None:
    assert set(get_args(Limit)) == LIMITS.keys()


@pytest.mark.parametrize(
    ("seconds", "limited_by", "words"),
    [
        (0.0, None, "It takes about a second."),
        (6.1, "rate", "It takes about 6 seconds: its own rate decides."),
        (132.0, "quota", "It takes about 2 minutes: the gateway's quota decides."),
        (7_300.0, "magic", "It takes about 2 hours: magic."),
        (200_000.0, "platform", "It takes about 2 days: the speed of this installation decides."),
    ],
)
def test_a_forecast_reads_as_a_sentence(seconds: float, limited_by: str | None, words: str) -> None:
    assert takes(seconds, limited_by) == words
