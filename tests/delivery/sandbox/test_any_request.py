"""Whatever a sender writes, a gateway answers, and only a push it understood is accepted."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from delivery.sandbox.answer import Request
from delivery.sandbox.apns_gateway import answer_apns
from delivery.sandbox.connections import Connection
from delivery.sandbox.control import answer_control
from delivery.sandbox.credentials import make_apns_key
from delivery.sandbox.fcm_gateway import answer_fcm, answer_token
from delivery.sandbox.fcm_schema import REQUEST, MapOf, Scalar
from delivery.sandbox.gateway import Gateway
from delivery.sandbox.profile import Profile
from delivery.sandbox.reasons import REASONS
from delivery.sandbox.sink import sink
from delivery.sandbox.tokens import apns_token, fcm_token

_ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_VALUES = _ANY_JSON | st.sampled_from(["3s", "high", "NORMAL", fcm_token("accepted", 1), "news"])
_FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _object_of(kind: Any) -> st.SearchStrategy[Any]:
    """Draw objects with known fields and mostly wrong values."""
    if isinstance(kind, dict) and kind:
        known = {name: _object_of(inner) for name, inner in kind.items()}
        return st.fixed_dictionaries({}, optional=known) | _VALUES
    if isinstance(kind, MapOf):
        return st.dictionaries(st.text(max_size=8), _VALUES, max_size=3)
    assert isinstance(kind, Scalar) or kind is not None
    return _VALUES


def _near_message() -> st.SearchStrategy[dict[str, Any]]:
    """Draw messages that are right but for one field, or right altogether."""
    fields = REQUEST["message"]
    assert isinstance(fields, dict)
    one = st.sampled_from(sorted(fields)).flatmap(
        lambda name: _object_of(fields[name]).map(lambda value: {name: value})
    )
    return (one | st.just({})).map(lambda extra: {"message": {**_GOOD, **extra}})


_GOOD = {"token": fcm_token("accepted", 1), "data": {"message_id": "m"}}
_KEY = make_apns_key()
_BEARER = "bearer " + jwt.encode(
    {"iss": _KEY.team_id, "iat": int(time.time())}, _KEY.p8, "ES256", {"kid": _KEY.key_id}
)
_RIGHT = {"authorization": _BEARER, "apns-topic": "com.example.app"}
_APNS_HEADERS = {
    "authorization": [_BEARER, "bearer a.b.c", "basic x"],
    "apns-topic": ["com.example.app", "com.example.app.voip", ""],
    "apns-push-type": ["alert", "background", "voip", "mdm", "x"],
    "apns-id": ["0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10", "1"],
    "apns-priority": ["10", "5", "high"],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, Profile(accept_any_credentials=True))
    yield gateway
    gateway.record.close()


@_FUZZ
@given(body=(_near_message() | _object_of(REQUEST)).map(orjson.dumps) | st.binary(max_size=60))
def test_fcm_answers_any_body(gateway: Gateway, body: bytes) -> None:
    headers = (("authorization", "Bearer any"),)

    reply = answer_fcm(gateway, Request("POST", "/v1/projects/p/messages:send", headers, body))

    assert reply.answer.status in (200, 400)
    assert orjson.loads(reply.answer.body).keys() in ({"name"}, {"error"})


def _apns_headers() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Draw header lists: mostly sensible values, sometimes one twice."""
    given_ones = st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(values) | st.text(max_size=40)
            for name, values in _APNS_HEADERS.items()
        },
    )
    pairs = given_ones.map(lambda headers: tuple({**_RIGHT, **headers}.items()))
    return pairs | pairs.map(lambda headers: headers * 2)


@_FUZZ
@given(
    method=st.sampled_from(["POST", "POST", "POST", "GET"]),
    path=st.sampled_from(["/3/device/" + apns_token("accepted", 1)]) | st.text(max_size=90),
    headers=_apns_headers(),
    body=_ANY_JSON.map(orjson.dumps) | st.just(b'{"aps":{"alert":"x"}}'),
)
def test_apns_answers_any_request(
    gateway: Gateway, method: str, path: str, headers: tuple[tuple[str, str], ...], body: bytes
) -> None:
    request = Request(method, path, headers, body)

    answer = answer_apns(gateway, request, Connection(), certificate=False).answer

    assert answer.label in REASONS or answer.label == "accepted"
    assert answer.status == REASONS.get(answer.label, 200)


@_FUZZ
@given(
    body=st.binary(max_size=80)
    | st.text(max_size=40).map(lambda text: b"assertion=" + text.encode())
)
def test_the_token_endpoint_answers_any_body(gateway: Gateway, body: bytes) -> None:
    grant = b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&"

    for form in (body, grant + body):
        assert answer_token(gateway, Request("POST", "/token", (), form)).answer.status == 400


@_FUZZ
@given(
    path=st.sampled_from(
        ["profile", "credentials", "stats", "accepted", "reset", "oauth/revoke", "outcomes", "x"]
    ),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    body=_ANY_JSON.map(orjson.dumps) | st.binary(max_size=40),
    query=st.text(max_size=20),
)
def test_control_answers_any_request(
    gateway: Gateway, path: str, method: str, body: bytes, query: str
) -> None:
    request = Request(method, f"/control/{path}", (), body, query)

    assert answer_control(gateway, request).status in (200, 400, 404, 405)


@example(
    path="/v1/projects/p/messages:send",
    body=b'{"message":{"token":true,"data":{"message_id":"m"}}}',
)
@_FUZZ
@given(
    path=st.sampled_from(["/3/device/ab", "/v1/projects/p/messages:send", "/"]),
    body=(_near_message() | _object_of(REQUEST)).map(orjson.dumps) | st.binary(max_size=40),
)
def test_the_sink_answers_any_request(gateway: Gateway, path: str, body: bytes) -> None:
    provider, status, *_ = sink(gateway, path, {}, body)

    assert (status == 200) == (provider in ("apns", "fcm"))
