"""A service account's signed request for an access token; pure.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth import crypt, jwt

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
# The audience stays Google's also where the key file names another endpoint, as google-auth does.
AUDIENCE = "https://oauth2.googleapis.com/token"
LIFETIME_SECONDS = 3_600
# A key of 4,096 bits in PEM. Google's have 2,048; to check a much larger one takes many seconds, in
# which every other thread waits.
_PEM_LIMIT = 3_500


def load_signer(account: Mapping[str, Any]) -> Any:
    """Return the signer of a service account; raise `ValueError` when its key is unusable."""
    if len(account["private_key"]) > _PEM_LIMIT:
        raise ValueError("the key is longer than 4,096 bits")
    try:
        key = load_pem_private_key(account["private_key"].encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key is encrypted or of an unknown kind") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the key is no RSA key")  # noqa: TRY004 (a wrong value)
    return crypt.RSASigner.from_service_account_info(account)  # type: ignore[no-untyped-call]


def sign_assertion(signer: Any, client_email: str, now: datetime) -> str:
    """Return the JWT that the token endpoint takes for an access token."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": client_email,
        "scope": SCOPE,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_SECONDS,
    }
    signed: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]
    return signed.decode()
