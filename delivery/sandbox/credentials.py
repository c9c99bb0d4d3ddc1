"""Throw-away credentials of both providers, and the public halves that the sandbox must know."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from delivery.sandbox.authority import make_p12

__all__ = [
    "ApnsSigningKey",
    "certificate_half",
    "make_apns_key",
    "make_p12",
    "make_service_account",
    "service_account_half",
]


@dataclass(frozen=True, slots=True)
class ApnsSigningKey:
    """A signing key as Apple hands it out: the .p8 text and its two ids of ten characters."""

    p8: str
    key_id: str
    team_id: str

    def public_half(self, topics: tuple[str, ...] = (), environment: str = "any") -> dict[str, Any]:
        """Build what POST /control/credentials wants; no topics means all of the team."""
        return {
            "kind": "apns_key",
            "team_id": self.team_id,
            "key_id": self.key_id,
            "public_key": _public_pem(self.p8),
            "topics": list(topics),
            "environment": environment,
        }


def make_apns_key(team_id: str = "") -> ApnsSigningKey:
    """Make a P-256 signing key with a fresh key id, and a team unless one is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    p8 = _private_pem(key)
    return ApnsSigningKey(p8, uuid4().hex[:10].upper(), team_id or uuid4().hex[:10].upper())


def make_service_account(project_id: str, token_uri: str) -> dict[str, str]:
    """Make the JSON file of a Google service account with a fresh RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    email = f"firebase-adminsdk@{project_id}.iam.gserviceaccount.com"
    return {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": uuid4().hex,
        "private_key": _private_pem(key),
        "client_email": email,
        "client_id": str(uuid4().int)[:21],
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    }


def service_account_half(account: dict[str, str], project_number: str = "") -> dict[str, Any]:
    """Build what POST /control/credentials wants for a service account."""
    return {
        "kind": "service_account",
        "project_id": account["project_id"],
        "client_email": account["client_email"],
        "private_key_id": account["private_key_id"],
        "public_key": _public_pem(account["private_key"]),
        "project_number": project_number,
    }


def certificate_half(*topics: str) -> dict[str, Any]:
    """Build what POST /control/credentials wants to allow topics on the certificate listener."""
    return {"kind": "apns_certificate", "topics": list(topics)}


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _public_pem(private_pem: str) -> str:
    key = serialization.load_pem_private_key(private_pem.encode(), None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
