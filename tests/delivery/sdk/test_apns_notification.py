"""From a request to aioapns' words: the same, or a refusal in words."""

from dataclasses import replace
from typing import Any

import pytest

from delivery.sdk.apns_notification import to_notification
from delivery.sdk.trip import Trip, UnsupportedError
from delivery.transport import Endpoint, Request
from tests.delivery.sdk.conftest import Carry, Serve
from tests.delivery.sdk.pushing import send, to_apns

REQUEST = Request(
    Endpoint("https://apns.example", "a"),
    "/3/device/ab",
    (("apns-topic", "com.example.app"),),
    (),
    b'{"aps":{}}',
    1.0,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"headers": ()}, "no push without a topic"),
        ({"varying": (("x-made-up", "1"),)}, "no place for the header x-made-up"),
        ({"varying": (("apns-topic", "again"),)}, "no header twice"),
        ({"varying": (("content-type", "text/plain"),)}, "sends JSON only"),
        ({"varying": (("apns-expiration", "soon"),)}, "expiration as a number"),
        ({"body": b"{"}, "sends JSON only"),
        ({"body": b"[]"}, "a JSON object only"),
        ({"path": "/3/device/a/b"}, "knows no path"),
    ],
)
def test_what_can_not_be_said_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        to_notification(Trip(replace(REQUEST, **changes)))


def test_every_header_arrives_as_it_was(serve: Serve, carry: Carry) -> None:
    server = serve()
    varying = (
        ("authorization", "bearer provider-token"),
        ("apns-id", "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10"),
        ("apns-expiration", "0"),
        ("apns-collapse-id", "news"),
    )
    request = replace(to_apns(server), varying=varying)

    send(carry(server), [request])

    entry = server.record.requests[0]
    wanted = dict(request.headers + varying)
    # Apple does not ask for it, and aioapns has no place for it.
    del wanted["content-type"]
    assert {name: entry.headers[name] for name in wanted} == wanted
    assert entry.path == request.path


def test_a_newer_token_is_sent_over_the_same_connection(serve: Serve, carry: Carry) -> None:
    server = serve()
    transport = carry(server)

    for token in ("bearer old", "bearer new"):
        request = to_apns(server)
        varying = tuple(one for one in request.varying if one[0] != "authorization")
        send(transport, [replace(request, varying=(*varying, ("authorization", token)))])

    assert [one.headers["authorization"] for one in server.record.requests] == [
        "bearer old",
        "bearer new",
    ]
    assert len(server.record.connections) == 1
