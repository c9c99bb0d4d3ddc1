"""What the doors check beside `delivery.providers.checks`: where secrets may travel, and time."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from core.errors import FieldError, InvalidPayloadError
from delivery.providers import checks

_GOOGLE_HOSTS = ".googleapis.com"


@dataclass(frozen=True, slots=True)
class CertificatePlace:
    """Where a push certificate is good for, None where it does not say."""

    topic: str | None
    environment: str | None


def check_service_account(account: Mapping[str, Any], *, only_google: bool) -> str:
    """Return the project id of a service account; raise `InvalidPayloadError` with pointers.

    `only_google` refuses a token address elsewhere: what its key signs must reach nobody else.
    """
    project_id = checks.check_service_account(account).project_id
    pointer = "/service_account/token_uri"
    try:
        host = urlsplit(account["token_uri"]).hostname or ""
    except ValueError:
        host = ""
    if not host:
        _refuse(pointer, "It is no URL.")
    if only_google and not host.endswith(_GOOGLE_HOSTS):
        _refuse(pointer, "It must be Google's.")
    return project_id


def check_certificate(text: str, password: str, now: datetime) -> CertificatePlace:
    """Return where the certificate in a base64 PKCS#12 file is good for; it lives at `now`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _refuse("/p12", "It is not base64.")
    facts = checks.check_p12(data, password)
    if facts.expires_at <= now:
        _refuse("/p12", f"The certificate ended on {facts.expires_at:%Y-%m-%d}.")
    # One for both gateways is taken for the one that matters, unless the caller says otherwise.
    environment = "production" if "production" in facts.environments else None
    return CertificatePlace(
        topic=facts.topics[0] if facts.topics else None,
        environment=environment or (facts.environments[0] if facts.environments else None),
    )


def _refuse(pointer: str, message: str) -> NoReturn:
    raise InvalidPayloadError(fields=(FieldError(pointer, "invalid", message),))
