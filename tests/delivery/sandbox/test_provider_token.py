"""Provider tokens: algorithm, key, signature, team, age, and the rules of a connection."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from delivery.sandbox.connections import Connection
from delivery.sandbox.credentials import ApnsSigningKey, make_apns_key
from delivery.sandbox.provider_token import (
    ApnsKey,
    ProviderToken,
    age_refusal,
    environment_refusal,
    read_token,
    token_text,
)

NOW = 1_795_000_000
KEY = make_apns_key()


def _public(key: ApnsSigningKey) -> EllipticCurvePublicKey:
    public = load_pem_private_key(key.p8.encode(), None).public_key()
    assert isinstance(public, EllipticCurvePublicKey)
    return public


KNOWN = {KEY.key_id: ApnsKey(KEY.team_id, KEY.key_id, _public(KEY))}


def _sign(key: str = KEY.p8, kid: str = KEY.key_id, **claims: Any) -> str:
    own = {"iss": KEY.team_id, "iat": NOW}
    return jwt.encode({**own, **claims}, key, "ES256", {"kid": kid})


def test_a_good_token_names_team_and_key() -> None:
    token = read_token(_sign(), KNOWN, any_key=False)

    assert token is not None
    assert (token.team_id, token.key_id, token.issued_at) == (KEY.team_id, KEY.key_id, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "not.a.token",
        jwt.encode({"iss": KEY.team_id, "iat": NOW}, "s" * 32, "HS256", {"kid": KEY.key_id}),
        jwt.encode({"iss": KEY.team_id, "iat": NOW}, "", "none", {"kid": KEY.key_id}),
        _sign(kid="OTHERKEY00"),
        _sign(key=make_apns_key().p8),
        _sign(iss="OTHERTEAM0"),
        _sign(iat=str(NOW)),
        _sign(iat=NOW + 0.5),
    ],
    ids=["garbage", "hs256", "unsigned", "kid", "signature", "team", "text iat", "float iat"],
)
def test_a_wrong_token_is_invalid(text: str) -> None:
    assert read_token(text, KNOWN, any_key=False) is None


def test_an_unknown_key_passes_only_when_told_so() -> None:
    text = _sign(kid="OTHERKEY00")

    assert read_token(text, {}, any_key=False) is None
    assert read_token(text, {}, any_key=True) is not None


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (0, None),
        (3600, None),
        (3601, "ExpiredProviderToken"),
        (-3600, None),
        (-3601, "InvalidProviderToken"),
    ],
)
def test_a_token_lives_one_hour(age: int, reason: str | None) -> None:
    token = ProviderToken("t", "team", "key", NOW - age)

    assert age_refusal(token, NOW) == reason


@pytest.mark.parametrize(
    ("key", "gateway", "reason"),
    [
        ("any", "production", None),
        ("development", "any", None),
        ("development", "development", None),
        ("development", "production", "BadEnvironmentKeyInToken"),
    ],
)
def test_a_key_belongs_to_its_environment(key: str, gateway: str, reason: str | None) -> None:
    token = ProviderToken("t", "team", "key", NOW, environment=key)

    assert environment_refusal(token, gateway) == reason


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("bearer abc", "abc"),
        ("Bearer abc", "abc"),
        ("bearer ", None),
        ("basic abc", None),
        ("", None),
        (None, None),
    ],
)
def test_the_token_is_taken_from_its_header(header: str | None, text: str | None) -> None:
    assert token_text(header) == text


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (ProviderToken("a", "team", "key", NOW), None),
        (ProviderToken("b", "team", "key", NOW), "TooManyProviderTokenUpdates"),
        (ProviderToken("b", "team", "key", NOW + 1199), "TooManyProviderTokenUpdates"),
        (ProviderToken("b", "team", "key", NOW + 1200), None),
        (ProviderToken("b", "team", "key2", NOW + 1200), "UnrelatedKeyIdInToken"),
        (ProviderToken("b", "team2", "key", NOW + 1200), "InvalidProviderToken"),
    ],
)
def test_a_connection_is_bound_by_its_first_token(
    second: ProviderToken, reason: str | None
) -> None:
    connection = Connection()
    assert connection.refusal_of(ProviderToken("a", "team", "key", NOW)) is None

    assert connection.refusal_of(second) == reason
