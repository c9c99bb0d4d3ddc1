"""The OAuth token endpoint: a signed assertion in, an access token out; and who holds which."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from delivery.sandbox.answer import Answer, json_answer

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth writes this audience even when the key file names another token_uri.
_AUDIENCES = ("https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token")
_SCOPE = "https://www.googleapis.com/auth/"
SEND_SCOPES = frozenset({_SCOPE + "firebase.messaging", _SCOPE + "cloud-platform"})
_SKEW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The public half of a service account as Google knows it."""

    project_id: str
    client_email: str
    key_id: str
    public_key: RSAPublicKey
    project_number: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows, and until when."""

    project_id: str
    scopes: frozenset[str]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that was found good."""

    project_id: str
    scopes: frozenset[str]


def refused(status: int, error: str, description: str) -> Answer:
    """Build an OAuth error answer."""
    return json_answer(status, error, {"error": error, "error_description": description})


def read_assertion(
    body: bytes, accounts: Mapping[str, ServiceAccount], here: str, now: float
) -> Assertion | Answer:
    """Verify a token request; ``here`` is this endpoint's own URL, also a good audience."""
    form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
    if form.get("grant_type") != _GRANT_TYPE:
        return refused(400, "unsupported_grant_type", "Invalid grant_type.")
    text = form.get("assertion", "")
    try:
        account = accounts.get(str(jwt.get_unverified_header(text).get("kid")))
        if account is None:
            return refused(400, "invalid_grant", "Invalid grant: account not found")
        claims = jwt.decode(
            text,
            account.public_key,
            algorithms=["RS256"],
            audience=[*_AUDIENCES, here],
            issuer=account.client_email,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError as error:
        return refused(400, "invalid_grant", f"Invalid JWT: {error}")
    return _check_claims(claims, account.project_id, now)


def _check_claims(claims: Mapping[str, object], project_id: str, now: float) -> Assertion | Answer:
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not isinstance(issued_at, int) or not isinstance(expires_at, int):
        return refused(400, "invalid_grant", "Invalid JWT: iat and exp are required.")
    short = 0 < expires_at - issued_at <= 3600 + _SKEW_SECONDS
    if not short or expires_at < now or issued_at > now + _SKEW_SECONDS:
        text = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        return refused(400, "invalid_grant", text + "timeframe. Check your iat and exp values.")
    scopes = frozenset(str(claims.get("scope", "")).split())
    if not scopes:
        return refused(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    return Assertion(project_id, scopes)


class AccessTokens:
    """The access tokens that were issued; they end with the process."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0
        self._grants: dict[str, Grant] = {}

    def issue(self, assertion: Assertion, now: float, expires_in: int) -> Answer:
        """Issue a token and build the answer that carries it."""
        self._grants = {
            text: grant for text, grant in self._grants.items() if grant.expires_at > now
        }
        self._count += 1
        digest = blake2b(f"{self._seed}/{self._count}/{now}".encode(), digest_size=24)
        text = f"ya29.sandbox-{digest.hexdigest()}"
        self._grants[text] = Grant(assertion.project_id, assertion.scopes, now + expires_in)
        value = {"access_token": text, "expires_in": expires_in, "token_type": "Bearer"}
        return json_answer(200, "token", value)

    def find(self, text: str | None, now: float) -> Grant | None:
        """Return what a token grants; None when it is unknown or over."""
        grant = self._grants.get(text) if text else None
        return grant if grant is not None and grant.expires_at > now else None

    def revoke_all(self) -> int:
        """Make every token invalid early; returns how many there were."""
        count = len(self._grants)
        self._grants.clear()
        return count
