"""What a token may look like, and what a raw one must be; pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.devices.device import clean_token, guess_target, hash_token
from delivery.devices.identity import is_signed, sign_identity

_FID = "d" + "A" * 21


@pytest.mark.parametrize(
    ("token", "provider", "kind"),
    [
        ("ab" * 32, "apns", "alert"),
        ("AB" * 32, "apns", "alert"),
        ("ab" * 200, "apns", "alert"),
        ("ab" * 201, "fcm", "token"),
        ("a" * 65, "fcm", "token"),
        ("ab" * 31, "fcm", "token"),
        (_FID, "fcm", "fid"),
        ("a" + "A" * 21, "fcm", "token"),
        (f"{_FID}:APA91b-x_y.z", "fcm", "token"),
        ("x" * 4_096, "fcm", "token"),
    ],
)
def test_a_raw_token_tells_its_gateway(token: str, provider: str, kind: str) -> None:
    plan = guess_target(token)

    assert plan is not None
    assert (plan.provider, plan.kind) == (provider, kind)


@pytest.mark.parametrize("token", ["", " ", "a b", "tökén", "x" * 4_097, "a\n", "a/b", "ab\0"])
def test_what_no_gateway_gives_is_no_token(token: str) -> None:
    assert guess_target(token) is None


@given(st.text(alphabet="0123456789abcdefABCDEF", min_size=64, max_size=400))
def test_apns_tokens_are_whole_bytes_and_stored_in_lower_case(token: str) -> None:
    cleaned = clean_token("apns", "alert", token)

    assert cleaned == (token.lower() if len(token) % 2 == 0 else None)


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_signed_person_is_accepted(person: str, other: str) -> None:
    signature = sign_identity(b"secret", "app_x", person)

    assert is_signed(b"secret", "app_x", person, signature)
    assert is_signed(b"secret", "app_x", person, signature.upper())
    assert is_signed(b"secret", "app_x", other, signature) == (person == other)
    assert not is_signed(b"other", "app_x", person, signature)
    assert not is_signed(b"secret", "app_y", person, signature)


def test_the_hash_of_a_token_is_its_sha256() -> None:
    assert hash_token("abc").hex().startswith("ba7816bf8f01cfea")
