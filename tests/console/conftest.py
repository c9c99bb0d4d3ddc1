"""The console over the real API, and over a small one that misbehaves on demand."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.console.live import serve_api
from tests.console.pages import open_console, surely_sign_in
from tests.console.small_api import SmallApi, serve_small_api
from tests.e2e.conftest import scene
from tests.e2e.scene import Scene
from tests.fixtures.sandbox import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process", "scene"]


@pytest.fixture
def small_api() -> Iterator[SmallApi]:
    with serve_small_api() as api:
        yield api


@pytest.fixture
def console(scene: Scene) -> Iterator[AppTest]:
    """The console of the scene's API, signed in."""
    with serve_api(scene.settings) as url, open_console(url) as page:
        yield surely_sign_in(page, scene.key)
