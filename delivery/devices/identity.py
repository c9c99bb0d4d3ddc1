"""Who a device belongs to, as the app's server signs it; pure."""

import hashlib
import hmac


def sign_identity(secret: bytes, app_public_id: str, external_id: str) -> str:
    """Return the hex HMAC-SHA256 over `<app id>:<external id>`."""
    text = f"{app_public_id}:{external_id}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def is_signed(secret: bytes, app_public_id: str, external_id: str, signature: str) -> bool:
    """Tell in constant time whether `signature` is the right one, in either case of hex."""
    wanted = sign_identity(secret, app_public_id, external_id)
    return hmac.compare_digest(wanted.encode(), signature.lower().encode())
