"""The doors over the real servers of this run."""

from collections.abc import Iterator

import pytest

from tests.api.doors import AppDoors, Doors, open_doors, settings_for


@pytest.fixture(scope="session")
def doors(database_url: str, redis_url: str) -> Iterator[Doors]:
    """The running application; tests stay apart by working in apps of their own."""
    # Made-up uploads wait for a worker that does not run here; the limit has tests of its own.
    settings = settings_for(database_url, redis_url, import_max_waiting=100_000)
    with open_doors(settings) as doors:
        yield doors


@pytest.fixture
def app(doors: Doors) -> AppDoors:
    """A fresh app with its keys."""
    return doors.new_app()
