"""Credentials at the door."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from core.errors import InvalidPayloadError
from delivery.providers.certificate import facts
from delivery.providers.checks import check_p8, check_p12, check_service_account
from delivery.sandbox.authority import make_authority
from delivery.sandbox.credentials import make_apns_key, make_p12, make_service_account
from tests.deadlines import within

ACCOUNT: dict[str, Any] = make_service_account("project-1", "https://oauth2.googleapis.com/token")


def pointers(error: pytest.ExceptionInfo[InvalidPayloadError]) -> list[str]:
    return [field.pointer for field in error.value.fields]


def test_a_service_account_says_who_it_is() -> None:
    found = check_service_account(ACCOUNT)

    assert found.project_id == "project-1"
    assert found.client_email == ACCOUNT["client_email"]


@pytest.mark.parametrize("name", ["project_id", "client_email", "private_key", "token_uri"])
@pytest.mark.parametrize("value", [None, 7, ""])
def test_a_service_account_lacks_nothing(name: str, value: object) -> None:
    with pytest.raises(InvalidPayloadError) as error:
        check_service_account({**ACCOUNT, name: value})

    assert pointers(error) == [f"/service_account/{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("private_key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("private_key", make_apns_key().p8),
        ("token_uri", "http://oauth2.googleapis.com/token"),
        ("token_uri", "https:/oauth2.googleapis.com/token"),
        ("token_uri", "https://a\nb/token"),
        ("type", "authorized_user"),
        ("type", None),
        ("client_email", "push@corner\n-shop.iam.gserviceaccount.com"),
        ("client_email", "push@corner\x7fshop"),
        ("client_email", "no address"),
        ("client_email", "nobody"),
        ("project_id", "../../other"),
        ("project_id", "a/b"),
    ],
)
def test_a_service_account_that_can_not_work_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidPayloadError) as error:
        check_service_account({**ACCOUNT, name: value})

    assert pointers(error) == [f"/service_account/{name}"]


def huge_rsa_key() -> str:
    """Return a key that takes many seconds to check; its primes are those of Mersenne."""
    p, q, e = 2**4423 - 1, 2**9689 - 1, 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    numbers = rsa.RSAPrivateNumbers(p, q, d, *crt, rsa.RSAPublicNumbers(e, p * q))
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_key_that_takes_long_to_check_is_refused_at_once() -> None:
    pem = huge_rsa_key()
    started = time.thread_time()

    with pytest.raises(InvalidPayloadError):
        check_service_account({**ACCOUNT, "private_key": pem})
    with pytest.raises(InvalidPayloadError):
        check_p8(pem)

    assert time.thread_time() - started < within(0.5)


def test_a_key_of_4096_bits_is_taken() -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=4_096)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    assert check_service_account({**ACCOUNT, "private_key": pem}).project_id == "project-1"


def test_a_p8_file_must_be_a_signing_key() -> None:
    check_p8(make_apns_key().p8)

    for text in ("", "no key", ACCOUNT["private_key"]):
        with pytest.raises(InvalidPayloadError) as error:
            check_p8(text, "/secret/p8")
        assert pointers(error) == ["/secret/p8"]


def test_a_certificate_says_what_it_covers(tmp_path: Path) -> None:
    make_authority(tmp_path)

    found = check_p12(make_p12(tmp_path, "com.example.app", "pass"), "pass")

    assert found.topics == ("com.example.app",)
    assert found.environments == ()
    assert found.expires_at > datetime.now(UTC)


def test_a_certificate_needs_its_password(tmp_path: Path) -> None:
    make_authority(tmp_path)
    p12 = make_p12(tmp_path, "com.example.app", "pass")

    for data, password in ((p12, "wrong"), (p12, ""), (b"", "pass"), (b"0123", "")):
        with pytest.raises(InvalidPayloadError) as error:
            check_p12(data, password)
        assert pointers(error) == ["/p12"]


def test_a_file_without_its_private_key_is_refused(tmp_path: Path) -> None:
    make_authority(tmp_path)
    ca = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    p12 = pkcs12.serialize_key_and_certificates(b"x", None, None, [ca], NoEncryption())

    with pytest.raises(InvalidPayloadError):
        check_p12(p12, "")


def test_an_encrypted_key_is_refused() -> None:
    sealed = (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        .decode()
    )

    with pytest.raises(InvalidPayloadError):
        check_p8(sealed)
    with pytest.raises(InvalidPayloadError):
        check_service_account({**ACCOUNT, "private_key": sealed})


def apple_certificate(*extensions: tuple[str, bytes]) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, "com.a.b")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    for oid, value in extensions:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def test_apples_marks_name_environments_and_further_topics() -> None:
    def text(value: bytes) -> bytes:
        return bytes([0x0C, len(value)]) + value

    def sequence(value: bytes) -> bytes:
        return b"\x30\x81" + bytes([len(value)]) + value

    topics = sequence(
        text(b"com.a.b")
        + sequence(text(b"app"))
        + text(b"com.a.b.voip")
        + sequence(text(b"voip"))
        + text(b"com.a.b.complication")
    )

    found = facts(
        apple_certificate(
            ("1.2.840.113635.100.6.3.1", b"\x05\x00"),
            ("1.2.840.113635.100.6.3.2", b"\x05\x00"),
            ("1.2.840.113635.100.6.3.6", topics),
        )
    )

    assert found.topics == ("com.a.b", "com.a.b.voip", "com.a.b.complication")
    assert found.environments == ("development", "production")


@pytest.mark.parametrize(
    "garbage", [b"", b"\x30", b"\x30\xff\x01", b"\x0c\x7fab", b"\x30\x80", b"\x02\x01\x05"]
)
def test_an_unreadable_topic_list_is_passed_over(garbage: bytes) -> None:
    assert facts(apple_certificate(("1.2.840.113635.100.6.3.6", garbage))).topics == ("com.a.b",)
