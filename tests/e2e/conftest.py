"""Scenes for end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.deadlines import wait_until
from tests.e2e.scene import LEASE_SECONDS, Scene, hasty_settings, open_scene, settings_for
from tests.fixtures.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def scene(
    fresh_database: str,
    redis_url: str,
    broker_url: str,
    sandbox: Sandbox,
) -> Iterator[Scene]:
    """A fresh platform with quick retries."""
    urls = (fresh_database, redis_url, broker_url)
    settings = settings_for(urls, sandbox, retry_floor_seconds=0.2)
    with open_scene(settings, sandbox) as made:
        yield made


@pytest.fixture
def hasty(
    fresh_database: str, redis_url: str, broker_url: str, sandbox: Sandbox
) -> Iterator[Scene]:
    """A fresh platform with short leases, whose server is old enough to let one be taken over."""
    urls = (fresh_database, redis_url, broker_url)
    settings = hasty_settings(urls, sandbox, retry_floor_seconds=0.2)
    old_enough = f"SELECT now() > pg_postmaster_start_time() + interval '{LEASE_SECONDS} s'"
    with open_scene(settings, sandbox) as made:
        wait_until(lambda: bool(made.scalar(old_enough)), 30, "the server is old enough")
        yield made
