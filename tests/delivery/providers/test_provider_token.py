"""The provider token of APNs."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.provider_token import SLOT_SECONDS, issued_at, load_key, provider_token
from delivery.sandbox.credentials import make_apns_key

KEY = make_apns_key()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def token_at(now: datetime) -> str:
    return provider_token(KEY.p8, KEY.key_id, KEY.team_id, now)


def test_apple_can_verify_it() -> None:
    token = token_at(NOW)

    claims = jwt.decode(
        token, load_key(KEY.p8).public_key(), ["ES256"], options={"verify_iat": False}
    )
    assert claims == {"iss": KEY.team_id, "iat": issued_at(NOW)}
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == ("ES256", KEY.key_id)


def test_every_worker_makes_the_same_token() -> None:
    slot = datetime.fromtimestamp(issued_at(NOW), UTC)

    made = {token_at(slot + timedelta(seconds=second)) for second in (300, 1_000, 2_699)}

    assert len(made) == 1
    assert token_at(slot + timedelta(seconds=2_700)) not in made


@given(moments)
def test_its_age_is_always_between_5_and_45_minutes(now: datetime) -> None:
    age = now.timestamp() - issued_at(now)

    assert 300 <= age < 2_701
    assert issued_at(now) % SLOT_SECONDS == 0


@given(moments, st.integers(0, 10_000))
def test_a_new_one_never_follows_within_twenty_minutes(now: datetime, seconds: int) -> None:
    older, newer = issued_at(now), issued_at(now + timedelta(seconds=seconds))

    assert newer == older or newer - older >= 1_200


def test_only_p256_keys_are_taken() -> None:
    others = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ed25519.Ed25519PrivateKey.generate(),
    )
    for key in others:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        with pytest.raises(ValueError, match="P-256"):
            load_key(pem)
    with pytest.raises(ValueError, match=r"\w"):
        load_key("no key")
