"""Are uploaded provider credentials usable? Checked at the door, without asking the provider."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError, InvalidPayloadError
from delivery.providers.assertion import load_signer
from delivery.providers.certificate import CertificateFacts
from delivery.providers.certificate_trial import try_open
from delivery.providers.pkcs12_rounds import TooManyRoundsError
from delivery.providers.provider_token import load_key

_SERVICE_ACCOUNT_FIELDS = ("project_id", "client_email", "private_key", "token_uri")
_TYPE = "service_account"
_EMAIL = re.compile(r"[!-~]{3,254}")
_HTTPS_URL = re.compile(r"https://[!-~]+")
_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9.:-]{2,62}")


@dataclass(frozen=True, slots=True)
class ServiceAccountFacts:
    """What a service account says of itself."""

    project_id: str
    client_email: str


def check_service_account(
    account: Mapping[str, Any], pointer: str = "/service_account"
) -> ServiceAccountFacts:
    """Check a Google service-account JSON; raise `InvalidPayloadError` pointing at its faults."""
    faults = [
        FieldError(f"{pointer}/{name}", "missing", f"The service account has no {name}.")
        for name in _SERVICE_ACCOUNT_FIELDS
        if not isinstance(account.get(name), str) or not account[name]
    ]
    _refuse(faults)
    if account.get("type") != _TYPE:
        text = f"It must be {_TYPE}: other keys of Google can not send."
        faults.append(FieldError(f"{pointer}/type", "invalid", text))
    if not _EMAIL.fullmatch(account["client_email"]) or "@" not in account["client_email"]:
        faults.append(FieldError(f"{pointer}/client_email", "invalid", "It is no e-mail address."))
    if not _HTTPS_URL.fullmatch(account["token_uri"]):
        faults.append(FieldError(f"{pointer}/token_uri", "invalid", "It must begin with https://."))
    if not _PROJECT_ID.fullmatch(account["project_id"]):
        faults.append(FieldError(f"{pointer}/project_id", "invalid", "It is no project id."))
    try:
        load_signer(account)
    except ValueError:
        text = "It is no RSA private key in PEM form, or has more than 4,096 bits."
        faults.append(FieldError(f"{pointer}/private_key", "invalid", text))
    _refuse(faults)
    return ServiceAccountFacts(account["project_id"], account["client_email"])


def check_p8(p8: str, pointer: str = "/p8") -> None:
    """Check an APNs signing key; raise `InvalidPayloadError` when it can not sign."""
    try:
        load_key(p8)
    except ValueError as error:
        text = "It is no .p8 file: a private key on the curve P-256 in PEM form is needed."
        raise InvalidPayloadError(
            "The signing key is not usable.", fields=(FieldError(pointer, "invalid", text),)
        ) from error


def check_p12(p12: bytes, password: str, pointer: str = "/p12") -> CertificateFacts:
    """Open a PKCS#12 file; raise `InvalidPayloadError` when it does not open."""
    try:
        return try_open(p12, password)
    except ValueError as error:
        text = "It does not open with this password, or holds no certificate with its private key."
        if isinstance(error, TooManyRoundsError):
            text = str(error)
        raise InvalidPayloadError(
            "The certificate is not usable.", fields=(FieldError(pointer, "invalid", text),)
        ) from error


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        raise InvalidPayloadError("The service account is not usable.", fields=tuple(faults))
