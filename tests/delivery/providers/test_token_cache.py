"""The cache of access tokens, on a real Redis and without one."""

import socket
import time
from collections.abc import Iterator

import pytest
import redis
from cryptography.fernet import Fernet

from core.secrets import SecretBox
from delivery.providers.token_cache import RedisTokenCache
from tests.deadlines import within

BOX = SecretBox([Fernet.generate_key().decode()])


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_a_value_is_found_again_and_is_sealed(client: redis.Redis, redis_prefix: str) -> None:
    cache = RedisTokenCache(client, BOX, prefix=redis_prefix)

    cache.put("k", "secret", 60)

    assert cache.get("k") == "secret"
    assert cache.get("other") is None
    stored = client.get(redis_prefix + "k")
    assert isinstance(stored, bytes)
    assert b"secret" not in stored
    assert 0 < int(str(client.ttl(redis_prefix + "k"))) <= 60


def test_a_value_sealed_under_unknown_keys_is_not_found(
    client: redis.Redis, redis_prefix: str
) -> None:
    other = SecretBox([Fernet.generate_key().decode()])

    RedisTokenCache(client, other, prefix=redis_prefix).put("k", "secret", 60)

    assert RedisTokenCache(client, BOX, prefix=redis_prefix).get("k") is None


def test_a_value_that_has_run_out_is_not_kept(client: redis.Redis, redis_prefix: str) -> None:
    cache = RedisTokenCache(client, BOX, prefix=redis_prefix)

    cache.put("k", "secret", 0.4)

    assert cache.get("k") is None


def test_only_one_may_claim_until_it_is_released(client: redis.Redis, redis_prefix: str) -> None:
    one, two = (RedisTokenCache(client, BOX, prefix=redis_prefix) for _ in range(2))

    assert one.claim("k", 60)
    assert not two.claim("k", 60)
    one.release("k")
    assert two.claim("k", 60)


def test_a_client_that_decodes_answers_will_do(redis_url: str, redis_prefix: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        cache = RedisTokenCache(client, BOX, prefix=redis_prefix)

        cache.put("k", "secret", 60)

        assert cache.get("k") == "secret"


def test_without_redis_everybody_fetches_alone_and_soon() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: it refuses
        cache = RedisTokenCache.open(f"redis://127.0.0.1:{bound.getsockname()[1]}", BOX)
        started = time.monotonic()

        cache.put("k", "secret", 60)

        assert cache.get("k") is None
        assert cache.claim("k", 60)
        cache.release("k")
        assert time.monotonic() - started < within(5)
        cache.close()


def test_a_cache_may_have_a_client_of_its_own(redis_url: str, redis_prefix: str) -> None:
    cache = RedisTokenCache.open(redis_url, BOX, prefix=redis_prefix)

    cache.put("k", "secret", 60)

    assert cache.get("k") == "secret"
    cache.close()
