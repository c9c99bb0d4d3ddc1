"""The JWT that signs APNs requests: equal in every worker for a slot of time; pure.

https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
"""

import base64
from datetime import datetime

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# Apple takes a token for an hour and a new one at most every 20 minutes on one connection.
SLOT_SECONDS = 2_400
# A slot's token is used from this long after the slot's start, so that it lies in the past also
# for a gateway whose clock is behind ours. Its age is therefore 5 to 45 minutes.
_OVERLAP_SECONDS = 300
# Some times the length of a P-256 key in PEM; keys of other kinds can take seconds to check.
_P8_LIMIT = 1_000


def issued_at(now: datetime) -> int:
    """Return `iat` for a moment: the start of the slot in use, in Unix seconds."""
    return (int(now.timestamp()) - _OVERLAP_SECONDS) // SLOT_SECONDS * SLOT_SECONDS


def provider_token(p8: str, key_id: str, team_id: str, now: datetime) -> str:
    """Return the token in use at `now`, the same bytes wherever it is made.

    The signature is deterministic (RFC 6979) where OpenSSL is 3.2 or newer, as in the wheels of
    cryptography; otherwise each process has its own token for the slot, which Apple allows too.
    """
    header = {"alg": "ES256", "kid": key_id, "typ": "JWT"}
    claims = {"iss": team_id, "iat": issued_at(now)}
    signed = f"{_base64url(orjson.dumps(header))}.{_base64url(orjson.dumps(claims))}"
    r, s = decode_dss_signature(load_key(p8).sign(signed.encode(), _algorithm()))
    return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def load_key(p8: str) -> ec.EllipticCurvePrivateKey:
    """Read a .p8 file; raise `ValueError` when it is no P-256 key in PEM."""
    if len(p8) > _P8_LIMIT:
        raise ValueError("the key is too long for the curve P-256")
    try:
        key = load_pem_private_key(p8.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key is encrypted or of an unknown kind") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key is not on the curve P-256")  # noqa: TRY004 (a wrong value)
    return key


def _algorithm() -> ec.ECDSA:
    try:
        return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:  # pragma: no cover (only with an old OpenSSL)
        return ec.ECDSA(hashes.SHA256())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
