"""The life of an access token, by a clock that the test moves."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from core.clock import utc_now
from core.secrets import SecretBox
from delivery.outcome import Outcome, Paused, Retry
from delivery.providers.oauth import OAuthTokens, account_key
from delivery.providers.oauth_answer import AccessToken, read_token
from delivery.providers.token_cache import RedisTokenCache
from delivery.transport import Ambiguous, Answer, NotProcessed, Transport
from tests.delivery.gathering import drain
from tests.fixtures.sandbox import Sandbox


class Clock:
    """A clock that a test moves, with the gateway's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def move(self, minutes: float) -> None:
        self._ahead += timedelta(minutes=minutes)
        self._sandbox.control.profile(clock_offset_seconds=self._ahead.total_seconds())


@pytest.fixture
def clock(sandbox: Sandbox) -> Clock:
    return Clock(sandbox)


@pytest.fixture
def tokens(transport: Transport, sandbox: Sandbox, clock: Clock) -> OAuthTokens:
    return OAuthTokens(transport, sandbox.account, clock=clock)


def ask(tokens: OAuthTokens, transport: Transport) -> AccessToken | Outcome:
    """Ask and wait; also for a renewal that the question set off."""
    got: list[AccessToken | Outcome] = []
    tokens.ask(got.append)
    drain(transport)
    assert len(got) == 1
    return got[0]


def test_a_token_is_kept_while_it_is_fresh(
    tokens: OAuthTokens, transport: Transport, clock: Clock, sandbox: Sandbox
) -> None:
    first = ask(tokens, transport)
    clock.move(minutes=54)

    assert ask(tokens, transport) == first
    assert sandbox.control.stats()["oauth_calls"] == 1


def test_a_token_is_renewed_early_while_the_old_one_serves(
    tokens: OAuthTokens, transport: Transport, clock: Clock, sandbox: Sandbox
) -> None:
    first = ask(tokens, transport)
    clock.move(minutes=56)

    assert ask(tokens, transport) == first
    assert ask(tokens, transport) != first
    assert sandbox.control.stats()["oauth_calls"] == 2


def test_a_failed_renewal_leaves_the_old_token_in_use(
    tokens: OAuthTokens, transport: Transport, clock: Clock, sandbox: Sandbox
) -> None:
    first = ask(tokens, transport)
    sandbox.control.profile(oauth_failure="unavailable")
    clock.move(minutes=56)

    assert [ask(tokens, transport) for _ in range(3)] == [first] * 3
    assert sandbox.control.stats()["oauth_calls"] == 2


def test_an_expired_token_is_never_handed_out(
    tokens: OAuthTokens, transport: Transport, clock: Clock
) -> None:
    first = ask(tokens, transport)
    clock.move(minutes=60)

    second = ask(tokens, transport)

    assert isinstance(second, AccessToken)
    assert second != first


def test_a_token_renewed_meanwhile_is_not_renewed_again(
    tokens: OAuthTokens, transport: Transport, sandbox: Sandbox
) -> None:
    first = ask(tokens, transport)
    assert isinstance(first, AccessToken)
    got: list[AccessToken | Outcome] = []

    for _ in range(5):
        tokens.renew(first, got.append)
    drain(transport)
    tokens.renew(first, got.append)

    assert len(got) == 6
    assert len({one.value for one in got if isinstance(one, AccessToken)} - {first.value}) == 1
    assert sandbox.control.stats()["oauth_calls"] == 2


@pytest.fixture
def cache(redis_url: str, redis_prefix: str) -> Iterator[RedisTokenCache]:
    box = SecretBox([Fernet.generate_key().decode()])
    cache = RedisTokenCache.open(redis_url, box, prefix=redis_prefix)
    yield cache
    cache.close()


def test_a_token_renewed_by_another_worker_is_taken_over(
    cache: RedisTokenCache, transport: Transport, clock: Clock, sandbox: Sandbox
) -> None:
    one, two = (OAuthTokens(transport, sandbox.account, cache, clock) for _ in range(2))
    first = ask(one, transport)
    assert ask(two, transport) == first
    clock.move(minutes=56)

    ask(one, transport)
    ask(two, transport)

    assert ask(two, transport) == ask(one, transport) != first
    assert sandbox.control.stats()["oauth_calls"] == 2


def test_a_worker_leaves_the_early_renewal_to_the_one_at_work(
    cache: RedisTokenCache, transport: Transport, clock: Clock, sandbox: Sandbox
) -> None:
    tokens = OAuthTokens(transport, sandbox.account, cache, clock)
    first = ask(tokens, transport)
    clock.move(minutes=56)
    assert cache.claim(account_key(sandbox.account), 60)

    assert [ask(tokens, transport) for _ in range(3)] == [first] * 3
    assert sandbox.control.stats()["oauth_calls"] == 1


# https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"error":"invalid_grant","error_description":"Bad"}', "oauth_invalid_grant"),
        (401, b'{"error":"invalid_client"}', "oauth_invalid_client"),
        (403, b"<html>", "oauth_http_403"),
        (404, b"", "oauth_http_404"),
        (400, b"[]", "oauth_http_400"),
    ],
)
def test_a_refusal_stops_the_credential(status: int, body: bytes, reason: str) -> None:
    outcome = read_token(Answer(status, {}, body), utc_now())

    assert isinstance(outcome, Paused)
    assert outcome.reason == reason


PASSING: list[Any] = [
    Answer(500, {}, b""),
    Answer(503, {}, b"{}"),
    Answer(429, {}, b""),
    Answer(408, {}, b""),
    Answer(400, {}, b'{"error":"temporarily_unavailable"}'),
    Answer(200, {}, b"OK"),
    Answer(200, {}, b'{"access_token":"","expires_in":3599}'),
    Answer(200, {}, b'{"access_token":"x"}'),
    NotProcessed("connect", "refused"),
    Ambiguous("timeout"),
]


@pytest.mark.parametrize("result", PASSING)
def test_a_passing_failure_delays_the_project(result: Answer | NotProcessed | Ambiguous) -> None:
    outcome = read_token(result, utc_now())

    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.after_seconds) == ("oauth_unavailable", 10.0)
    assert not outcome.counts


def test_a_token_survives_its_way_through_a_cache() -> None:
    token = AccessToken("value", 1.5, 2.5)

    assert AccessToken.from_text(token.to_text()) == token
    assert AccessToken.from_text("") is None
    assert AccessToken.from_text("[1]") is None
    assert AccessToken.from_text("7") is None
