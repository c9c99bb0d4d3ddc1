"""Secrets at rest: encryption under rotating keys, and one-way hashes of what we only compare."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import SettingsError


class SecretBox:
    """Encrypts under the first key and decrypts under any of them, so that keys can rotate."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise SettingsError(
                "CARILLON_SECRET_KEYS must hold one or more Fernet keys, separated by commas."
            ) from error

    def encrypt(self, plain: bytes) -> bytes:
        """Return `plain` encrypted and signed under the newest key."""
        return self._fernet.encrypt(plain)

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the plain bytes; raise `SettingsError` if none of the keys fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SettingsError(
                "A stored secret can not be decrypted: CARILLON_SECRET_KEYS lacks its key."
            ) from error


def load_or_create_keys(path: Path) -> list[str]:
    """Return the keys of `path`, one a line, creating the file (0600) with one key if absent."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().split()
    with os.fdopen(handle, "w") as file:
        key = Fernet.generate_key().decode()
        file.write(key + "\n")
    return [key]


def new_secret(prefix: str) -> str:
    """Return a fresh secret with 256 random bits, such as `ck_live_…`."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a random secret; 256 bits of entropy need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def same_secret(secret: str, digest: bytes) -> bool:
    """Tell in constant time whether `secret` hashes to `digest`."""
    return hmac.compare_digest(hash_secret(secret), digest)
