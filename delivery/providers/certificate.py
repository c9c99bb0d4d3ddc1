"""APNs certificates: from PKCS#12 to PEM, and what a certificate says of itself; pure.

https://developer.apple.com/documentation/usernotifications/establishing-a-certificate-based-connection-to-apns
"""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from delivery.providers.pkcs12_rounds import check_rounds

# Apple marks which gateways a certificate is for, and the topics it covers beside its subject.
_DEVELOPMENT = x509.ObjectIdentifier("1.2.840.113635.100.6.3.1")
_PRODUCTION = x509.ObjectIdentifier("1.2.840.113635.100.6.3.2")
_TOPICS = x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
_IA5_AND_UTF8_STRING = frozenset({0x0C, 0x13, 0x16})
_SEQUENCE_BIT = 0x20


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Certificate (with its chain) and private key as PEM text."""

    certificate: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a push certificate covers; an empty tuple where it does not say."""

    topics: tuple[str, ...]
    environments: tuple[str, ...]
    expires_at: datetime


def unpack(p12: bytes, password: str) -> tuple[ClientCertificate, CertificateFacts]:
    """Open a PKCS#12 file; raise `ValueError` when it does not open or lacks a part.

    Raises `TooManyRoundsError` before opening what would hold up the whole process.
    """
    check_rounds(p12)
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(p12, password.encode() or None)
    except UnsupportedAlgorithm as error:  # pragma: no cover (depends on how OpenSSL was built)
        raise ValueError("the file is encrypted in a way that is not supported") from error
    if key is None or certificate is None:
        raise ValueError("the file holds no certificate with its private key")
    text = "".join(one.public_bytes(Encoding.PEM).decode() for one in (certificate, *chain))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return ClientCertificate(text, private), facts(certificate)


def facts(certificate: x509.Certificate) -> CertificateFacts:
    """Read topics, environments and expiry of a push certificate."""
    subject = [
        str(attribute.value)
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    ]
    listed = _texts(_extension(certificate, _TOPICS) or b"")
    environments = {"development": _DEVELOPMENT, "production": _PRODUCTION}
    return CertificateFacts(
        topics=tuple(dict.fromkeys(subject + [text for text in listed if "." in text])),
        environments=tuple(
            name for name, oid in environments.items() if _extension(certificate, oid) is not None
        ),
        expires_at=certificate.not_valid_after_utc,
    )


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    for extension in certificate.extensions:
        if extension.oid == oid and isinstance(extension.value, x509.UnrecognizedExtension):
            return extension.value.value
    return None


def _texts(der: bytes) -> list[str]:
    """Return all strings within nested DER sequences; stops quietly at what it can not read."""
    found: list[str] = []
    while len(der) >= 2:
        tag, (length, start) = der[0], _length(der)
        value, der = der[start : start + length], der[start + length :]
        if tag in _IA5_AND_UTF8_STRING:
            found.append(value.decode("utf-8", "replace"))
        elif tag & _SEQUENCE_BIT:
            found += _texts(value)
    return found


def _length(der: bytes) -> tuple[int, int]:
    first = der[1]
    if first < 0x80:
        return first, 2
    size = first & 0x7F
    return int.from_bytes(der[2 : 2 + size], "big"), 2 + size
