"""The servers a test run uses: given by the environment, or an embedded pair of its own."""

import contextlib
import os
import secrets
from pathlib import Path

import pytest
import redis

from api.services.pair import Urls
from api.services.trial import trial_pair
from bench.own.rabbitmq import drop_queues
from tests.databases import drop_all
from tests.external.found import Found, find_servers

STATE = Path(__file__).resolve().parents[1] / ".carillon" / "test"
_DATABASE = "CARILLON_TEST_DATABASE_URL"
_REDIS = "CARILLON_TEST_REDIS_URL"
_BROKER = "CARILLON_TEST_BROKER_URL"
_EXTERNAL = "CARILLON_TEST_EXTERNAL"
_RUN = "CARILLON_TEST_RUN"
_MOST_WORKERS = 16


class Servers:
    """Opens the servers of this run on first use and leaves nothing in them at the end."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._is_leader = _RUN not in os.environ
        self.run = os.environ.setdefault(_RUN, secrets.token_hex(4))
        self.found: list[Found] = []

    @property
    def mode(self) -> str | None:
        """How external servers are looked for; None in a run on the embedded pair."""
        return os.environ.get(_EXTERNAL)

    def urls(self) -> Urls:
        """Return the addresses, starting an embedded pair when the environment names none."""
        if self._is_leader and self.mode and not self.found:
            self._find(self.mode)
        if _DATABASE not in os.environ or _REDIS not in os.environ:
            pair = self._stack.enter_context(trial_pair(STATE))
            self._export({_DATABASE: pair.database_url, _REDIS: pair.redis_url})
        redis_url = os.environ[_REDIS]
        return Urls(os.environ[_DATABASE], redis_url, broker_beside(redis_url))

    def close(self) -> None:
        """Drop what this run made in the servers and stop what was started."""
        if not self._is_leader:
            return
        with self._stack:
            if _DATABASE in os.environ:
                drop_all(os.environ[_DATABASE], self.run)
            if _REDIS in os.environ:
                _drop_keys(os.environ[_REDIS], _start_of_names(self.run))
            if os.environ.get(_BROKER, "").startswith("amqp"):
                _drop_queues(os.environ[_BROKER], self.run)
        os.environ.pop(_RUN, None)

    def _find(self, mode: str) -> None:
        self.found = find_servers(mode, STATE, self._stack)
        names = (_DATABASE, _REDIS, _BROKER)
        urls = (found.url for found in self.found)
        self._export(dict(zip(names, urls, strict=True)))

    def _export(self, variables: dict[str, str]) -> None:
        # Workers inherit the environment; what was there before comes back at the end.
        for name, value in variables.items():
            before = os.environ.get(name)
            os.environ[name] = value
            self._stack.callback(_put_back, name, before)


def broker_beside(redis_url: str) -> str:
    """Return the broker of this run if `redis_url` is its Redis, else that Redis as a broker."""
    given = os.environ.get(_BROKER)
    return given if given and redis_url == os.environ.get(_REDIS) else as_broker(redis_url)


def own_names() -> dict[str, str]:
    """Return the settings by which this worker's names at shared servers are its own."""
    start = _start_of_names(os.environ[_RUN], _worker())
    return {"redis_prefix": f"{start}:", "queue_prefix": f"{start}-"}


def as_broker(redis_url: str) -> str:
    """Return Celery's URL of a Redis server; on our own one, a database of this worker alone."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path = redis_url.removeprefix("unix://").partition("?")[0]
    return f"redis+socket://{path}?virtual_host={1 + int(_worker()[2:]) % 15}"


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def _start_of_names(run: str, worker: str = "") -> str:
    return f"carillon-test-{run}-{worker}"


def _put_back(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


def _drop_keys(url: str, start: str) -> None:
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"{start}*", count=1000):
            client.delete(key)


def _drop_queues(url: str, run: str) -> None:
    starts = (_start_of_names(run, f"gw{worker}") for worker in range(_MOST_WORKERS))
    drop_queues(url, (f"{start}-" for start in starts))


SERVERS = pytest.StashKey[Servers]()
