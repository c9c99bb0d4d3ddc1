"""The console's client against a small HTTP server that answers what it is told."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from console.client import Client
from console.errors import ApiAwayError, ApiRefusedError, ApiSlowError, ApiStrangeError
from console.line import TIMEOUT_SECONDS, Access
from tests.console.small_api import KEY, SmallApi, problem
from tests.console.values import message_json

MESSAGES = "/v1/messages"


def client_of(api: SmallApi, key: str = KEY, app_id: str = "") -> Client:
    return Client(api.url, Access(key, app_id))


def test_messages_are_read_as_values(small_api: SmallApi) -> None:
    two = message_json("msg_two", targeted=None)
    small_api.answers[MESSAGES] = 200, {"data": [message_json(), two], "next_cursor": "c"}

    page = client_of(small_api).list_messages(limit=7)

    assert [(one.id, one.targeted) for one in page.data] == [("msg_one", 10), ("msg_two", None)]
    assert page.next_cursor == "c"
    assert small_api.paths == [f"{MESSAGES}?limit=7"]


@pytest.mark.parametrize(
    ("ask", "path"),
    [
        (lambda client: client.read_message("a/b?c#d"), f"{MESSAGES}/a%2Fb%3Fc%23d"),
        (lambda client: client.control("../x", "pause"), f"{MESSAGES}/..%2Fx/pause"),
        (lambda client: client.read_person("a/b"), "/v1/people/a%2Fb"),
        (lambda client: client.read_device("d/e"), "/v1/devices/d%2Fe"),
        (lambda client: client.list_keys("a/b"), "/v1/apps/a%2Fb/keys?limit=200"),
        (lambda client: client.rotate_key("a", "k/x", 0, "o"), "/v1/apps/a/keys/k%2Fx/rotate"),
        (lambda client: client.revoke_key("a", "k/x"), "/v1/apps/a/keys/k%2Fx"),
        (lambda client: client.retire_credential("a", ".."), "/v1/apps/a/credentials/%2E%2E"),
        (lambda client: client.change_rate("m/x", None), f"{MESSAGES}/m%2Fx"),
    ],
)
def test_an_id_can_not_leave_its_place_in_the_path(
    small_api: SmallApi, ask: Callable[[Client], Any], path: str
) -> None:
    with pytest.raises(ApiRefusedError):
        ask(client_of(small_api))

    assert small_api.paths == [path]


@pytest.mark.parametrize(("app_id", "sent"), [("app_one", "app_one"), ("", None)])
def test_the_app_is_named_only_when_given(
    small_api: SmallApi, app_id: str, sent: str | None
) -> None:
    small_api.answers[MESSAGES] = 200, {"data": []}

    client_of(small_api, app_id=app_id).list_messages()

    assert small_api.headers[0].get("carillon-app") == sent


def test_a_message_is_sent_with_its_idempotency_key(small_api: SmallApi) -> None:
    small_api.answers[MESSAGES] = 202, message_json()

    sent = client_of(small_api).send({"to": {"all": True}}, "once-1")

    assert sent.id == "msg_one"
    assert small_api.bodies == [{"to": {"all": True}}]
    assert small_api.headers[0]["idempotency-key"] == "once-1"


def test_a_token_never_stands_in_an_address(small_api: SmallApi) -> None:
    with pytest.raises(ApiRefusedError):
        client_of(small_api).find_device("secret-token")

    assert small_api.paths == ["/v1/devices/lookup"]
    assert small_api.bodies == [{"token": "secret-token"}]


def test_a_refusal_keeps_status_code_words_and_faults(small_api: SmallApi) -> None:
    fault = {"pointer": "/to/people/0", "code": "unknown_person", "message": "Unknown."}
    small_api.answers[MESSAGES] = 422, problem("invalid_payload", "No.", *[fault] * 12)

    with pytest.raises(ApiRefusedError) as refused:
        client_of(small_api).list_messages()

    assert (refused.value.status, refused.value.code) == (422, "invalid_payload")
    assert str(refused.value) == "No."
    assert refused.value.faults == (*["/to/people/0: Unknown."] * 10, "and 2 more")


def test_another_key_is_refused(small_api: SmallApi) -> None:
    with pytest.raises(ApiRefusedError, match="not known") as refused:
        client_of(small_api, "ca_other").list_messages()

    assert refused.value.status == 401


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"code": "x"}', b'{"errors": 3}'])
def test_a_refusal_without_a_problem_still_says_the_status(
    small_api: SmallApi, body: bytes
) -> None:
    small_api.answers[MESSAGES] = 500, body

    with pytest.raises(ApiRefusedError, match="The API answered 500") as refused:
        client_of(small_api).list_messages()

    assert refused.value.code == "unknown"


@pytest.mark.parametrize(
    "body", [b"not json", {"data": [{}]}, {"data": [message_json(counts=3)]}, [], {"data": 3}]
)
def test_an_answer_of_another_server_is_an_error_in_words(small_api: SmallApi, body: Any) -> None:
    for path in (MESSAGES, f"{MESSAGES}/msg_one", "/v1/stats/deliveries", "/v1/messages/preview"):
        small_api.answers[path] = 200, body
    client = client_of(small_api)

    asked: list[Callable[[], Any]] = [
        client.list_messages,
        lambda: client.read_message("msg_one"),
        lambda: client.read_deliveries_over_time(1, 10),
        lambda: client.preview({}, None),
    ]

    for ask in asked:
        with pytest.raises(ApiStrangeError):
            ask()


def test_an_api_that_is_away_is_an_error_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(ApiAwayError):
        Client(f"http://127.0.0.1:{port}", Access(KEY)).list_messages()


def test_an_address_that_is_none_is_an_error_in_words() -> None:
    with pytest.raises(ApiAwayError):
        Client("ftp://nowhere", Access(KEY)).list_messages()


class _Slow(httpx.BaseTransport):
    """Notes how long it might take, and takes longer."""

    def __init__(self) -> None:
        self.limits: set[float] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.limits.update(request.extensions["timeout"].values())
        raise httpx.ReadTimeout("slow", request=request)


def test_nobody_waits_longer_than_the_limit() -> None:
    transport = _Slow()
    client = Client("http://api", Access(KEY), transport)

    with pytest.raises(ApiSlowError):
        client.list_messages()
    with pytest.raises(ApiSlowError):
        client.send({}, "once")
    assert transport.limits == {TIMEOUT_SECONDS} == {5.0}


def test_a_key_is_not_shown_by_accident() -> None:
    assert KEY not in repr(Access(KEY))
