"""The sandbox's own certificate authority: made at start, trusted by nobody else."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_LIFETIME = timedelta(days=90)
_BACKDATE = timedelta(hours=1)
# Apple's extension that lists the topics of a push certificate.
_APNS_TOPICS = ObjectIdentifier("1.2.840.113635.100.6.3.6")


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """Where the authority wrote its certificates and keys."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate that clients must trust."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The key that signs; a client certificate can be made from it."""
        return self.folder / "ca.key"

    @property
    def server(self) -> Path:
        """The certificate of both listeners."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The key of the server certificate."""
        return self.folder / "server.key"


def make_authority(folder: Path, hosts: tuple[str, ...] = (), now: datetime | None = None) -> None:
    """Write a fresh authority and server certificate; further hosts join the loopback names."""
    files = AuthorityFiles(folder)
    moment = now or datetime.now(UTC)
    ca_key, server_key = _make_key(), _make_key()
    ca_name = _name("Carillon sandbox authority")
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _builder(_name("localhost"), ca_name, server_key.public_key(), moment)
        .add_extension(_alternative_names(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_key(ca_key), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(files.ca_key, _key_bytes(ca_key))
    _write(files.server_key, _key_bytes(server_key))
    _write(files.server, server.public_bytes(serialization.Encoding.PEM), 0o644)
    _write(files.ca, ca.public_bytes(serialization.Encoding.PEM), 0o644)


def make_p12(folder: Path, topic: str, password: str) -> bytes:
    """Make a push certificate for a topic, signed by the authority in the folder, as PKCS#12."""
    files = AuthorityFiles(folder)
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    ca_key = serialization.load_pem_private_key(files.ca_key.read_bytes(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic curve key")
    key = _make_key()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, topic),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {topic}"),
        ]
    )
    certificate = (
        _builder(subject, ca.subject, key.public_key(), datetime.now(UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_APNS_TOPICS, _der_topics(topic)), critical=False)
        .add_extension(_authority_key(ca_key), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(topic.encode(), key, certificate, [ca], encryption)


def _make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, moment: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATE)
        .not_valid_after(moment + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority_key(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _alternative_names(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    names = ["localhost", *(host for host in hosts if not _is_address(host))]
    addresses = ["127.0.0.1", "::1", *(host for host in hosts if _is_address(host))]
    return x509.SubjectAlternativeName(
        [x509.DNSName(name) for name in dict.fromkeys(names)]
        + [x509.IPAddress(ipaddress.ip_address(one)) for one in dict.fromkeys(addresses)]
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _der_topics(topic: str) -> bytes:
    """Write the topic list as Apple does: a sequence of UTF-8 strings."""
    text = topic.encode()
    item = bytes([0x0C, len(text)]) + text
    return bytes([0x30, len(item)]) + item


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
