"""The small API for every test of the console."""

from collections.abc import Iterator

import pytest

from tests.console.small_api import SmallApi, serve_small_api


@pytest.fixture
def small_api() -> Iterator[SmallApi]:
    with serve_small_api() as api:
        yield api
