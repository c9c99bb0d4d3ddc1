"""PKCS#12 files that are made to be expensive to open; RFC 7292."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    KeySerializationEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

PASSWORD = "pass"
_COUNT, _HUGE_COUNT = b"\x02\x03\x01\x86\xa0", b"\x02\x03\x7f\xff\xff"
_PKCS = bytes.fromhex("2a864886f70d01")
_AES_256_CBC, _HMAC_SHA256 = bytes.fromhex("60864801650304012a"), bytes.fromhex("2a864886f70d0209")
_SALT = b"saltsalt"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_pair() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, "com.example.shop")])
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
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_file(rounds: int, scheme: pkcs12.PBES = pkcs12.PBES.PBESv2SHA256AndAES256CBC) -> bytes:
    """Make a file whose certificate and key have `rounds` each."""
    encryption = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds)
    encryption = encryption.key_cert_algorithm(scheme).hmac_hash(hashes.SHA256())
    return _serialize(make_pair(), encryption.build(PASSWORD.encode()))


def make_huge_file(scheme: pkcs12.PBES = pkcs12.PBES.PBESv2SHA256AndAES256CBC) -> bytes:
    """Make a file that says it needs eight million rounds for each part."""
    made = make_file(100_000, scheme)
    if made.count(_COUNT) != 2:  # A key may hold the same bytes by chance.
        return make_huge_file(scheme)
    return made.replace(_COUNT, _HUGE_COUNT)


def _serialize(pair: Pair, encryption: KeySerializationEncryption) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"push", pair.key, pair.certificate, None, encryption
    )


def der(tag: int, *parts: bytes) -> bytes:
    """Write one value."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes(3, "big")
    return bytes([tag, 0x83]) + size + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pbkdf2(rounds: int) -> bytes:
    hashing = der(0x30, der(6, _HMAC_SHA256), b"\x05\x00")
    parameters = der(0x30, der(4, _SALT), number(rounds), hashing)
    return der(0x30, der(6, _PKCS + b"\x05\x0c"), parameters)


def scrypt(cost: int, block: int, parallel: int) -> bytes:
    parameters = der(0x30, der(4, _SALT), number(cost), number(block), number(parallel))
    return der(0x30, der(6, bytes.fromhex("2b06010401da47040b")), parameters)


def pbes2(derivation: bytes, iv: bytes = b"i" * 16) -> bytes:
    cipher = der(0x30, der(6, _AES_256_CBC), der(4, iv))
    return der(0x30, der(6, _PKCS + b"\x05\x0d"), der(0x30, derivation, cipher))


def shrouded_key(scheme: bytes, sealed: bytes = b"s" * 32) -> bytes:
    """Return a bag with an encrypted key."""
    value = der(0xA0, der(0x30, scheme, der(4, sealed)))
    return der(0x30, der(6, _PKCS + b"\x0c\x0a\x01\x02"), value)


def nested(*bags: bytes) -> bytes:
    """Return a bag of bags."""
    return der(0x30, der(6, _PKCS + b"\x0c\x0a\x01\x06"), der(0xA0, der(0x30, *bags)))


def plain_safe(*bags: bytes) -> bytes:
    content = der(0x30, *bags)
    return der(0x30, der(6, _PKCS + b"\x07\x01"), der(0xA0, der(4, content)))


def sealed_safe(*bags: bytes, rounds: int = 2_048) -> bytes:
    """Return a safe that is really encrypted: what stands in it shows when it is opened."""
    iv = os.urandom(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, _SALT, rounds).derive(PASSWORD.encode())
    padder, sealer = padding.PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(iv))
    padded = padder.update(der(0x30, *bags)) + padder.finalize()
    sealed = sealer.encryptor().update(padded)
    content = der(0x30, der(6, _PKCS + b"\x07\x01"), pbes2(pbkdf2(rounds), iv), der(0x80, sealed))
    data = der(0x30, number(0), content)
    return der(0x30, der(6, _PKCS + b"\x07\x06"), der(0xA0, data))


def file_of(*safes: bytes, check: bytes = b"") -> bytes:
    content = der(4, der(0x30, *safes))
    return der(0x30, number(3), der(0x30, der(6, _PKCS + b"\x07\x01"), der(0xA0, content)), check)


def check_of(rounds: int) -> bytes:
    digest = der(0x30, der(0x30, der(6, bytes.fromhex("608648016503040201"))), der(4, b"d" * 32))
    return der(0x30, digest, der(4, _SALT), number(rounds))


def pbmac1_of(rounds: int) -> bytes:
    algorithm = der(
        0x30,
        der(6, _PKCS + b"\x05\x0e"),
        der(0x30, pbkdf2(rounds), der(0x30, der(6, _HMAC_SHA256))),
    )
    return der(0x30, der(0x30, algorithm, der(4, b"d" * 32)), der(4, _SALT), number(1))


def cut_in_pieces(p12: bytes) -> bytes:
    """Return the same file as some programs write it: BER, without lengths, texts in pieces."""
    version, info, *check = _parts(p12[_head(p12) :])
    kind, explicit = _parts(info[_head(info) :])
    octets = explicit[_head(explicit) :]
    content = octets[_head(octets) :]
    half = len(content) // 2
    pieces = b"\x24\x80" + der(4, content[:half]) + der(4, content[half:]) + b"\0\0"
    info = b"\x30\x80" + kind + b"\xa0\x80" + pieces + b"\0\0" + b"\0\0"
    return b"\x30\x80" + version + info + b"".join(check) + b"\0\0"


def _head(value: bytes) -> int:
    return 2 + (value[1] & 0x7F if value[1] > 0x80 else 0)


def _parts(content: bytes) -> list[bytes]:
    parts = []
    while content:
        start = _head(content)
        length = content[1] if start == 2 else int.from_bytes(content[2:start], "big")
        parts.append(content[: start + length])
        content = content[start + length :]
    return parts
