"""A whole platform in its own processes, and a real Chromium to look at its console."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.commands.app import create_app
from api.demo.client import DemoClient
from api.demo.story import Stage, prepare, sandbox_settings
from api.services.children import supervised
from api.services.pair import Urls
from api.services.platform import ROOT, Platform, application, environment
from api.services.processes import ProcessBook
from api.services.readiness import choose_port
from core.settings import Settings
from tests.databases import cloned
from tests.fixtures.sandbox import Sandbox, sandbox_process

__all__ = ["sandbox_process"]
PEOPLE, DEVICES = 2_000, 3_000
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Place:
    """A running platform with people and devices, and the key to its console."""

    console_url: str
    api_url: str
    key: str
    client: DemoClient


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this system."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium: apt-get install --yes chromium")
    # A machine with other work is slow, not wrong.
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that containers do not give; it only meets our pages.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def place(
    urls: Urls, template: str, sandbox_process: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The platform with everything that runs in production, on free ports."""
    sandbox_process.control.default_profile()
    with cloned(urls.database_url, template) as database_url:
        platform = Platform(
            Urls(database_url, urls.redis_url, urls.broker_url),
            tmp_path_factory.mktemp("platform"),
            choose_port(),
            choose_port(),
            sandbox_settings(sandbox_process.address),
            choose_port(),
        )
        with _running(platform, sandbox_process) as place:
            yield place


@contextmanager
def _running(platform: Platform, sandbox: Sandbox) -> Iterator[Place]:
    start = "CARILLON_"
    settings = Settings.model_validate(
        {
            name.removeprefix(start).lower(): value
            for name, value in environment(platform).items()
            if name.startswith(start)
        }
    )
    book = ProcessBook(platform.folder)
    with supervised(book, cwd=ROOT, say=print) as supervisor:
        supervisor.start(application(platform))
        made = create_app(settings, "Corner shop", operator=True)
        client = DemoClient(platform.api_url, str(made["key"]), str(made["app_id"]))
        prepare(Stage(client, sandbox.address, PEOPLE, DEVICES, print))
        yield Place(platform.console_url, platform.api_url, str(made["key"]), client)
        client.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab of a laptop."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    yield page
    page.close()
