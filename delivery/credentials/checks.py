"""Is what somebody pasted a usable gateway credential? Pure: reads bytes, asks no gateway."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import NameOID, ObjectIdentifier

from core.errors import FieldError, InvalidPayloadError

_GOOGLE_HOSTS = ".googleapis.com"
# Apple marks what a push certificate is good for with extensions of its own.
# https://images.apple.com/certificateauthority/pdf/Apple_WWDR_CPS_v1.22.pdf
_APPLE_DEVELOPMENT = ObjectIdentifier("1.2.840.113635.100.6.3.1")
_APPLE_PRODUCTION = ObjectIdentifier("1.2.840.113635.100.6.3.2")
_ACCOUNT_TEXTS = ("project_id", "client_email", "private_key", "token_uri")


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a push certificate says about itself."""

    topic: str | None
    environment: str | None
    expires_at: datetime


def check_service_account(account: Mapping[str, Any], *, only_google: bool) -> str:
    """Return the project id of a service account; raise `InvalidPayloadError` with pointers.

    `only_google` refuses a token address elsewhere: the account's key must reach nobody else.
    """
    at = "/service_account"
    if account.get("type") != "service_account":
        _refuse(f"{at}/type", "The file must be of the type service_account.")
    for name in _ACCOUNT_TEXTS:
        if not isinstance(account.get(name), str) or not account[name]:
            _refuse(f"{at}/{name}", "The service account lacks this text.")
    _check_token_address(f"{at}/token_uri", account["token_uri"], only_google=only_google)
    _load_rsa(f"{at}/private_key", account["private_key"])
    return str(account["project_id"])


def check_p8(text: str) -> None:
    """Check that `text` is an APNs signing key: a P-256 key in PEM."""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        _refuse("/p8", "This is no private key in PEM. Paste the whole .p8 file.")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        _refuse("/p8", "An APNs key is on the curve P-256; this one is not.")


def check_p12(text: str, password: str, now: datetime) -> CertificateFacts:
    """Return what the certificate in a base64 PKCS#12 file says; it must be alive at `now`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _refuse("/p12", "This is not base64.")
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(data, password.encode() or None)
    except ValueError:
        _refuse("/p12", "This is no PKCS#12 file, or the password is another.")
    if key is None or certificate is None:
        _refuse("/p12", "The file must hold a certificate and its private key.")
    if certificate.not_valid_after_utc <= now:
        _refuse("/p12", f"The certificate ended on {certificate.not_valid_after_utc:%Y-%m-%d}.")
    return CertificateFacts(
        _topic(certificate), _environment(certificate), certificate.not_valid_after_utc
    )


def _topic(certificate: x509.Certificate) -> str | None:
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(names[0].value) if names else None


def _environment(certificate: x509.Certificate) -> str | None:
    marks = {extension.oid for extension in certificate.extensions}
    if _APPLE_PRODUCTION in marks:
        return "production"
    return "development" if _APPLE_DEVELOPMENT in marks else None


def _check_token_address(pointer: str, address: str, *, only_google: bool) -> None:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        _refuse(pointer, "This is no URL.")
    if parts.scheme != "https" or not host:
        _refuse(pointer, "The token address must begin with https://.")
    if only_google and not host.endswith(_GOOGLE_HOSTS):
        _refuse(pointer, "The token address must be Google's.")


def _load_rsa(pointer: str, text: str) -> None:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        _refuse(pointer, "This is no private key in PEM.")
    if not isinstance(key, rsa.RSAPrivateKey):
        _refuse(pointer, "A service account has an RSA key; this one is not.")


def _refuse(pointer: str, message: str) -> NoReturn:
    raise InvalidPayloadError(fields=(FieldError(pointer, "invalid_credential", message),))
