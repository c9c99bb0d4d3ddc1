"""The credentials that the gateways know, read from the JSON of the control API."""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from delivery.sandbox.oauth import ServiceAccount
from delivery.sandbox.provider_token import ApnsKey


class CredentialError(ValueError):
    """The credential has a missing field or a value of the wrong kind."""


class Registry:
    """Known APNs keys by key id, service accounts by private key id, certificate topics."""

    def __init__(self) -> None:
        self.apns_keys: dict[str, ApnsKey] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.certificate_topics: frozenset[str] = frozenset()

    def add(self, value: Mapping[str, Any]) -> None:
        """Register one credential; raises CredentialError."""
        kind = value.get("kind")
        if kind == "apns_key":
            key = _apns_key(value)
            self.apns_keys[key.key_id] = key
        elif kind == "service_account":
            account = _service_account(value)
            self.accounts[account.key_id] = account
        elif kind == "apns_certificate":
            self.certificate_topics |= _topics(value)
        else:
            raise CredentialError("kind is apns_key, apns_certificate or service_account")

    def remove(self, key_id: str) -> bool:
        """Revoke a key of either provider by its id; tells whether it was known."""
        apns = self.apns_keys.pop(key_id, None)
        account = self.accounts.pop(key_id, None)
        return apns is not None or account is not None

    def project(self, name: str) -> str | None:
        """Return the project id for a project id or number."""
        for account in self.accounts.values():
            if name in (account.project_id, account.project_number):
                return account.project_id
        return None

    def listing(self) -> dict[str, Any]:
        """Return what is known, without keys, as JSON values."""
        return {
            "apns_keys": [
                {
                    "team_id": key.team_id,
                    "key_id": key.key_id,
                    "topics": sorted(key.topics),
                    "environment": key.environment,
                }
                for key in self.apns_keys.values()
            ],
            "service_accounts": [
                {
                    "project_id": account.project_id,
                    "client_email": account.client_email,
                    "private_key_id": account.key_id,
                }
                for account in self.accounts.values()
            ],
            "certificate_topics": sorted(self.certificate_topics),
        }


def _apns_key(value: Mapping[str, Any]) -> ApnsKey:
    key = _public_key(value)
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise CredentialError("public_key of an APNs key is a P-256 key")
    environment = value.get("environment", "any")
    if environment not in ("any", "development", "production"):
        raise CredentialError("environment is any, development or production")
    return ApnsKey(
        _text(value, "team_id"), _text(value, "key_id"), key, _topics(value), environment
    )


def _service_account(value: Mapping[str, Any]) -> ServiceAccount:
    key = _public_key(value)
    if not isinstance(key, RSAPublicKey):
        raise CredentialError("public_key of a service account is an RSA key")
    return ServiceAccount(
        _text(value, "project_id"),
        _text(value, "client_email"),
        _text(value, "private_key_id"),
        key,
        str(value.get("project_number", "")),
    )


def _public_key(value: Mapping[str, Any]) -> object:
    try:
        return load_pem_public_key(_text(value, "public_key").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError(f"public_key: {error}") from error


def _topics(value: Mapping[str, Any]) -> frozenset[str]:
    topics = value.get("topics", [])
    if not isinstance(topics, list) or not all(isinstance(one, str) for one in topics):
        raise CredentialError("topics is a list of bundle ids")
    return frozenset(topics)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise CredentialError(f"{name} is missing")
    return text
