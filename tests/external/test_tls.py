"""TLS to every server, asked for in the URL alone: authority and host name are verified."""

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bench.own.servers import HOST, OwnServer
from bench.relay import Relay
from core.database import open_engine
from core.queue import create_queue
from delivery.sandbox.authority import AuthorityFiles, make_authority

pytestmark = pytest.mark.external


_STRANGER = "127.0.0.2"


@contextmanager
def at_another_address(url: str) -> Iterator[str]:
    """Yield the URL of an address that leads to the server, but that its certificate lacks."""
    port = urlsplit(url).port
    with socket.create_server((_STRANGER, 0)) as first:
        own_port = first.getsockname()[1]
    relay = Relay(
        lambda: socket.create_server((_STRANGER, own_port)),
        lambda: socket.create_connection((HOST, port)),
    )
    relay.open()
    try:
        yield url.replace(f"{HOST}:{port}", f"{_STRANGER}:{own_port}")
    finally:
        relay.cut()


def without_authority(url: str) -> str:
    """Return the URL with the system's authorities, who do not know our server."""
    return url.partition("?")[0]


def ask_postgres(url: str) -> bool:
    engine = open_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return bool(connection.scalar(text(query)))
    finally:
        engine.dispose()


def ask_redis(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def ask_broker(url: str) -> None:
    queue = create_queue(url, f"tls-{secrets.token_hex(4)}-")
    with queue.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)


def test_postgresql_is_verified(postgres_15: OwnServer, tmp_path: Path) -> None:
    own = postgres_15.tls_url
    make_authority(tmp_path)
    stranger = AuthorityFiles(tmp_path).ca

    assert ask_postgres(own)
    with pytest.raises(OperationalError, match="certificate verify failed"):
        ask_postgres(f"{without_authority(own)}?sslmode=verify-full&sslrootcert={stranger}")
    with (
        at_another_address(own) as elsewhere,
        pytest.raises(OperationalError, match="does not match"),
    ):
        ask_postgres(elsewhere)


def test_redis_is_verified(redis_server: OwnServer) -> None:
    check_is_verified(ask_redis, redis_server.tls_url, redis.ConnectionError)


def test_rabbitmq_is_verified(rabbitmq: OwnServer) -> None:
    check_is_verified(ask_broker, rabbitmq.tls_url, BrokerError)


def test_redis_as_the_broker_is_verified(redis_server: OwnServer) -> None:
    check_is_verified(ask_broker, redis_server.tls_url, BrokerError)


def check_is_verified(ask: Callable[[str], object], url: str, refusal: type[Exception]) -> None:
    ask(url)
    with pytest.raises(refusal, match="CERTIFICATE_VERIFY_FAILED"):
        ask(without_authority(url))
    with at_another_address(url) as elsewhere, pytest.raises(refusal, match="not valid for"):
        ask(elsewhere)
