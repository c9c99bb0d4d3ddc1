"""The servers a test run uses: given by the environment, or an embedded pair of its own."""

import contextlib
import os
import secrets
from pathlib import Path

import pytest

from api.services.pair import Urls
from api.services.trial import trial_pair
from tests.databases import drop_all

_FOLDER = Path(__file__).resolve().parents[1] / ".carillon" / "test"
_DATABASE = "CARILLON_TEST_DATABASE_URL"
_REDIS = "CARILLON_TEST_REDIS_URL"
_BROKER = "CARILLON_TEST_BROKER_URL"
_RUN = "CARILLON_TEST_RUN"


class Servers:
    """Opens the servers of this run on first use and leaves nothing in them at the end."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._is_leader = _RUN not in os.environ
        self.run = os.environ.setdefault(_RUN, secrets.token_hex(4))

    def urls(self) -> Urls:
        """Return the addresses, starting an embedded pair when the environment names none."""
        if _DATABASE not in os.environ or _REDIS not in os.environ:
            pair = self._stack.enter_context(trial_pair(_FOLDER))
            os.environ.update({_DATABASE: pair.database_url, _REDIS: pair.redis_url})
            self._stack.callback(lambda: (os.environ.pop(_DATABASE), os.environ.pop(_REDIS)))
        redis_url = os.environ[_REDIS]
        broker_url = os.environ.get(_BROKER) or as_broker(redis_url)
        return Urls(os.environ[_DATABASE], redis_url, broker_url)

    def close(self) -> None:
        """Drop the databases of this run and stop what was started."""
        if not self._is_leader:
            return
        with self._stack:
            if _DATABASE in os.environ:
                drop_all(os.environ[_DATABASE], self.run)
        os.environ.pop(_RUN, None)


def as_broker(redis_url: str) -> str:
    """Return Celery's URL of a Redis server, on the database of this worker alone."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    database = 1 + int(worker) % 15
    if redis_url.startswith("unix://"):
        path = redis_url.removeprefix("unix://").partition("?")[0]
        return f"redis+socket://{path}?virtual_host={database}"
    return f"{redis_url.rstrip('/').removesuffix('/0')}/{database}"


SERVERS = pytest.StashKey[Servers]()
