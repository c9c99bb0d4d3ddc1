"""The console's client against a real HTTP server."""

import socket
from typing import Any

import pytest

from console.client import Access, ApiAwayError, ApiError, ApiRefusedError, Client
from tests.console.small_api import KEY, SmallApi, message, problem


def test_messages_are_read_as_values(small_api: SmallApi) -> None:
    small_api.answers["/v1/messages"] = (
        200,
        {"data": [message(), message("msg_two", targeted=None)]},
    )

    with Client(small_api.url, Access(KEY)) as client:
        first, second = client.list_messages(limit=7)

    assert (first.id, first.targeted, first.counts["accepted"]) == ("msg_one", 10, 6)
    assert (second.id, second.targeted) == ("msg_two", None)
    assert small_api.paths == ["/v1/messages?limit=7"]


def test_one_message_is_read_by_its_id(small_api: SmallApi) -> None:
    small_api.answers["/v1/messages/msg_one"] = 200, message()

    with Client(small_api.url, Access(KEY)) as client:
        found = client.read_message("msg_one")

    assert (found.state, found.status, found.lane) == ("running", "pending", "campaign")


def test_an_id_can_not_leave_its_place_in_the_path(small_api: SmallApi) -> None:
    with Client(small_api.url, Access(KEY)) as client, pytest.raises(ApiRefusedError):
        client.read_message("a/b?c#d")

    assert small_api.paths == ["/v1/messages/a%2Fb%3Fc%23d"]


@pytest.mark.parametrize(("app_id", "sent"), [("app_one", "app_one"), ("", None)])
def test_the_app_is_named_only_when_given(
    small_api: SmallApi, app_id: str, sent: str | None
) -> None:
    small_api.answers["/v1/messages"] = 200, {"data": []}

    with Client(small_api.url, Access(KEY, app_id)) as client:
        client.list_messages()

    assert small_api.headers[0].get("carillon-app") == sent


def test_a_refusal_keeps_status_code_and_words(small_api: SmallApi) -> None:
    with (
        Client(small_api.url, Access("ca_other")) as client,
        pytest.raises(ApiRefusedError) as refused,
    ):
        client.list_messages()

    assert (refused.value.status, refused.value.code) == (401, "token_invalid")
    assert str(refused.value) == "This key is not known."


@pytest.mark.parametrize("body", [b"<html>", b"[]", problem("x", "y") | {"code": None}])
def test_a_refusal_without_a_problem_still_says_the_status(small_api: SmallApi, body: Any) -> None:
    small_api.answers["/v1/messages"] = 502, body

    with Client(small_api.url, Access(KEY)) as client, pytest.raises(ApiRefusedError) as refused:
        client.list_messages()

    assert refused.value.status == 502
    assert str(refused.value) in {"The API answered 502.", "y"}


@pytest.mark.parametrize("body", [b"not json", {"data": [{}]}, {"data": [message(counts=3)]}, []])
def test_an_answer_of_another_server_is_an_error_in_words(small_api: SmallApi, body: Any) -> None:
    small_api.answers["/v1/messages"] = 200, body
    small_api.answers["/v1/messages/msg_one"] = 200, body

    with Client(small_api.url, Access(KEY)) as client:
        with pytest.raises(ApiError, match="not one of this API"):
            client.list_messages()
        with pytest.raises(ApiError, match="not one of this API"):
            client.read_message("msg_one")


def test_an_api_that_is_away_is_an_error_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with (
        Client(f"http://127.0.0.1:{port}", Access(KEY)) as client,
        pytest.raises(ApiAwayError) as away,
    ):
        client.list_messages()

    assert "does not answer" in str(away.value)
