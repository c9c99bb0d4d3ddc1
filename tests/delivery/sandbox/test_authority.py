"""The sandbox's certificates, checked by the library that others check them with."""

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import verification

from delivery.sandbox.authority import AuthorityFiles, make_authority, make_p12


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    make_authority(tmp_path, ("sandbox", "10.1.2.3"))
    return AuthorityFiles(tmp_path)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "sandbox", "10.1.2.3"])
def test_the_server_certificate_covers_its_names(files: AuthorityFiles, name: str) -> None:
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    server = x509.load_pem_x509_certificate(files.server.read_bytes())
    subject: x509.DNSName | x509.IPAddress
    try:
        subject = x509.IPAddress(ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)

    verifier = verification.PolicyBuilder().store(verification.Store([ca]))
    chain = verifier.time(datetime.now(UTC)).build_server_verifier(subject).verify(server, [])

    assert chain[0] == server


def test_keys_are_private(files: AuthorityFiles) -> None:
    modes = {path.stat().st_mode & 0o777 for path in (files.ca_key, files.server_key)}

    assert modes == {0o600}


def test_openssl_loads_the_server_chain(files: AuthorityFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    context.load_cert_chain(files.server, files.server_key)

    assert context.cert_store_stats() == {"x509": 0, "crl": 0, "x509_ca": 0}


def test_a_push_certificate_names_its_topic(files: AuthorityFiles) -> None:
    content = make_p12(files.folder, "com.example.app", "secret")

    key, certificate, more = pkcs12.load_key_and_certificates(content, b"secret")
    assert key is not None
    assert certificate is not None
    assert certificate.subject.rfc4514_string().endswith("UID=com.example.app")
    extension = certificate.extensions.get_extension_for_oid(
        x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
    )
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert b"com.example.app" in extension.value.value
    assert len(more) == 1


def test_a_wrong_password_opens_nothing(files: AuthorityFiles) -> None:
    content = make_p12(files.folder, "com.example.app", "secret")

    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(content, b"other")
