"""Scenes for end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.scene import Scene, open_scene, settings_for
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
