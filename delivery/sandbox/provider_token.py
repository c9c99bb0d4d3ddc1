"""The APNs provider token (JWT), pure: who signed it, and whether its time is right.

https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
"""

from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_LIFETIME_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class ApnsKey:
    """The public half of a signing key as the gateway knows it; no topics means all."""

    team_id: str
    key_id: str
    public_key: EllipticCurvePublicKey
    topics: frozenset[str] = frozenset()
    environment: str = "any"


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """A provider token whose signature was found good; its age is checked per request."""

    text: str
    team_id: str
    key_id: str
    issued_at: int
    topics: frozenset[str] = frozenset()
    environment: str = "any"


def token_text(authorization: str | None) -> str | None:
    """Take the token out of an authorization header; None when there is none."""
    if not authorization:
        return None
    scheme, _, text = authorization.partition(" ")
    return text.strip() or None if scheme.lower() == "bearer" else None


def read_token(text: str, keys: dict[str, ApnsKey], *, any_key: bool) -> ProviderToken | None:
    """Verify algorithm, key, signature and team of a token; None is InvalidProviderToken."""
    try:
        header = jwt.get_unverified_header(text)
        key = keys.get(str(header.get("kid")))
        if header.get("alg") != "ES256" or (key is None and not any_key):
            return None
        claims = jwt.decode(
            text,
            key.public_key if key else "",
            algorithms=["ES256"],
            options={"verify_signature": key is not None, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return None
    team_id, issued_at = claims.get("iss"), claims.get("iat")
    if type(issued_at) is not int or not isinstance(team_id, str):
        return None
    if key is None:
        return ProviderToken(text, team_id, str(header.get("kid")), issued_at)
    if key.team_id != team_id:
        return None
    return ProviderToken(text, team_id, key.key_id, issued_at, key.topics, key.environment)


def age_refusal(token: ProviderToken, now: float) -> str | None:
    """Name the reason when the token is not within one hour of now."""
    if token.issued_at < now - _LIFETIME_SECONDS:
        return "ExpiredProviderToken"
    if token.issued_at > now + _LIFETIME_SECONDS:
        return "InvalidProviderToken"
    return None


def environment_refusal(token: ProviderToken, gateway: str) -> str | None:
    """Name the reason when the key belongs to the other environment of APNs."""
    if "any" in (token.environment, gateway) or token.environment == gateway:
        return None
    return "BadEnvironmentKeyInToken"
