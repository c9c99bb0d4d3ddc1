"""Where the workers of a cluster share access tokens, so that one of them fetches for all."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.errors import SettingsError
from core.secrets import SecretBox

_PREFIX = "carillon:token:"
_TIMEOUT_SECONDS = 0.5
_AWAY_SECONDS = 5.0

T = TypeVar("T")


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
    """Keeps tokens in Redis, sealed.

    After a failure Redis is left alone for some seconds: a worker sends on while it is away.
    """

    def __init__(self, redis: Redis, box: SecretBox, *, prefix: str = _PREFIX) -> None:
        self._redis = redis
        self._box = box
        self._prefix = prefix
        self._away_until = 0.0

    @classmethod
    def open(cls, redis_url: str, box: SecretBox, *, prefix: str = _PREFIX) -> "RedisTokenCache":
        """Return a cache with a client of its own, which never waits long nor tries again."""
        client = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        return cls(client, box, prefix=prefix)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._redis.close()

    def get(self, key: str) -> str | None:
        """Return the value, None when there is none, it is unreadable or Redis is away."""
        sealed = self._try(lambda: self._redis.get(self._prefix + key), otherwise=None)
        if isinstance(sealed, str):  # a client that decodes answers
            sealed = sealed.encode()
        if not isinstance(sealed, bytes):
            return None
        try:
            return self._box.decrypt(sealed).decode()
        except SettingsError:
            return None

    def put(self, key: str, value: str, ttl_seconds: float) -> None:
        """Keep a sealed value for a while; silently nothing when Redis is away."""
        name, seconds = self._prefix + key, int(ttl_seconds)
        if seconds >= 1:
            sealed = self._box.encrypt(value.encode())
            self._try(lambda: self._redis.set(name, sealed, ex=seconds), otherwise=None)

    def claim(self, key: str, seconds: float) -> bool:
        """Return whether the caller may fetch; True when Redis is away."""
        name, milliseconds = self._prefix + key + ":claim", int(seconds * 1000)
        return self._try(
            lambda: bool(self._redis.set(name, b"1", nx=True, px=milliseconds)), otherwise=True
        )

    def release(self, key: str) -> None:
        """Let others claim again."""
        self._try(lambda: self._redis.delete(self._prefix + key + ":claim"), otherwise=None)

    def _try(self, call: Callable[[], T], *, otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return call()
        except RedisError:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return otherwise
