"""Where the workers of a cluster share access tokens, so that one of them fetches for all."""

from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from core.errors import SettingsError
from core.secrets import SecretBox


class TokenCache(Protocol):
    """A shared cache of secrets that may be away at any time: then nothing is found or claimed."""

    def get(self, key: str) -> str | None:
        """Return the value, None when there is none or the cache is away."""
        ...

    def put(self, key: str, value: str, ttl_seconds: float) -> None:
        """Keep a value for a while; silently nothing when the cache is away."""
        ...

    def claim(self, key: str, seconds: float) -> bool:
        """Return whether the caller may fetch the value; True when the cache is away."""
        ...

    def release(self, key: str) -> None:
        """Let others claim again."""
        ...


class RedisTokenCache:
    """Keeps tokens in Redis, sealed; `redis` should have short socket timeouts."""

    def __init__(self, redis: Redis, box: SecretBox, *, prefix: str = "carillon:token:") -> None:
        self._redis = redis
        self._box = box
        self._prefix = prefix

    def get(self, key: str) -> str | None:
        """Return the value, None when there is none, it is unreadable or Redis is away."""
        try:
            sealed = self._redis.get(self._prefix + key)
            if isinstance(sealed, str):  # a client that decodes answers
                sealed = sealed.encode()
            return self._box.decrypt(sealed).decode() if isinstance(sealed, bytes) else None
        except (RedisError, SettingsError):
            return None

    def put(self, key: str, value: str, ttl_seconds: float) -> None:
        """Keep a sealed value for a while; silently nothing when Redis is away."""
        if ttl_seconds < 1:
            return
        try:
            self._redis.set(
                self._prefix + key, self._box.encrypt(value.encode()), ex=int(ttl_seconds)
            )
        except RedisError:
            return

    def claim(self, key: str, seconds: float) -> bool:
        """Return whether the caller may fetch; True when Redis is away."""
        try:
            claimed = self._redis.set(
                self._prefix + key + ":claim", b"1", nx=True, px=int(seconds * 1000)
            )
        except RedisError:
            return True
        return bool(claimed)

    def release(self, key: str) -> None:
        """Let others claim again."""
        try:
            self._redis.delete(self._prefix + key + ":claim")
        except RedisError:
            return
