"""The pictures of the documentation, taken as a phone and a laptop, in light and in dark.

    CARILLON_TEST_PICTURES=docs/images ./carillon test --long tests/browser/test_pictures.py

replaces those that are shown there; all of them are taken and looked over in any case.
"""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Place
from tests.browser.steps import calm, go, heading, sign_in, type_in
from tests.deadlines import wait_until
from tests.repository_files import ROOT

_FOLDER = "CARILLON_TEST_PICTURES"
_SHOWN = {
    "overview-laptop-light", "compose-laptop-dark", "overview-phone-dark", "message-phone-light",
    "look-up-phone-dark", "segments-laptop-light",
}  # fmt: skip
_COLOURS = 128
_RULE = {
    "type": "all",
    "of": [
        {"type": "attribute", "name": "points", "operator": ">=", "value": 5000},
        {
            "type": "not",
            "of": {"type": "person", "field": "country", "operator": "in", "value": ["DE"]},
        },
    ],
}
_SIZES = {"phone": (390, 844), "laptop": (1280, 900)}


@pytest.fixture(scope="module")
def campaigns(place: Place) -> Iterator[list[str]]:
    """One campaign that has ended and one that runs for as long as the pictures take."""
    to = {"to": {"all": True}, "lane": "campaign"}
    ended = place.client.send({**to, "content": {"title": "Your weekly digest"}})
    place.client.wait_for_end(ended["id"], 60, pause=0.2)
    spring = {"title": "New in the shop: spring shoes"}
    running = place.client.send({**to, "content": spring, "rate_per_second": 10})
    wait_until(lambda: place.client.read(running["id"])["counts"]["accepted"] > 20, 30, "it runs")
    yield [ended["id"], running["id"]]
    # Others look at an overview in which nothing runs.
    path = f"{place.api_url}/v1/messages/{running['id']}/cancel"
    key = {"Authorization": f"Bearer {place.key}"}
    httpx.post(path, headers=key, trust_env=False).raise_for_status()
    place.client.wait_for_end(running["id"], 30, pause=0.2)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        ("phone", "dark"),
        ("laptop", "light"),
        pytest.param("phone", "light", marks=pytest.mark.long),
        pytest.param("laptop", "dark", marks=pytest.mark.long),
    ],
)
def test_every_picture_can_be_taken(
    opened: Callable[[str, str], Page], campaigns: list[str], tmp_path: Path, kind: str, scheme: str
) -> None:
    folder = ROOT / os.environ[_FOLDER] if _FOLDER in os.environ else tmp_path
    page = opened(kind, scheme)

    for name, show in _VIEWS.items():
        show(page, campaigns)
        calm(page)
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        which = f"{name}-{kind}-{scheme}"
        path = (folder if which in _SHOWN else tmp_path) / f"console-{which}.png"
        save(page, path)

        with Image.open(path) as picture:
            assert picture.size == _SIZES[kind]
            assert len(picture.getcolors(_COLOURS) or []) > 8, name
        assert main_of(page).evaluate("one => one.scrollWidth <= one.clientWidth"), name


@pytest.fixture
def opened(browser: Browser, place: Place) -> Iterator[Callable[[str, str], Page]]:
    """The console, signed in, on a kind of device and in a colour scheme."""
    with contextlib.ExitStack() as stack:

        def show(kind: str, scheme: str) -> Page:
            width, height = _SIZES[kind]
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                timezone_id="UTC",
            )
            stack.callback(page.close)
            page.set_default_timeout(60_000)
            sign_in(page, place)
            return page

        yield show


def main_of(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def save(page: Page, path: Path) -> None:
    """Write what is seen as a small PNG."""
    shot = page.screenshot(animations="disabled", caret="hide")
    with Image.open(io.BytesIO(shot)) as picture:
        picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def overview(page: Page, campaigns: list[str]) -> None:
    go(page, "Overview")
    expect(page.get_by_text("is being sent").first).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").locator("svg").first).to_be_visible()


def compose(page: Page, campaigns: list[str]) -> None:
    go(page, "Compose")
    heading(page, "Compose")
    page.get_by_text("Everybody", exact=True).click()
    type_in(page, "Title", "{{ first_name }}, your points are waiting")
    type_in(page, "Body", "You have {{ points }} points.\nSpend them before Sunday!")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="recipients").wait_for()
    main_of(page).evaluate("one => one.scrollTo(0, 290)")
    page.get_by_role("button", name="recipients").scroll_into_view_if_needed()


def message(page: Page, campaigns: list[str]) -> None:
    go(page, "Overview")
    page.get_by_role("link", name="Your weekly digest").first.click()
    heading(page, "Your weekly digest")
    page.get_by_text("Each recipient").wait_for()


def look_up(page: Page, campaigns: list[str]) -> None:
    go(page, "Look up")
    heading(page, "Look up")
    type_in(page, "External id", "person-00001")
    page.get_by_role("heading", name="Messages").wait_for()


def apps(page: Page, campaigns: list[str]) -> None:
    go(page, "Apps and keys")
    page.get_by_role("tab", name="Keys").click()
    page.get_by_role("button", name="Rotate").wait_for()


def segments(page: Page, campaigns: list[str]) -> None:
    go(page, "Segments")
    heading(page, "Segments")
    page.get_by_text("The rule as JSON").click()
    type_in(page, "Another rule, to take its place", json.dumps(_RULE))
    page.get_by_role("button", name="Take it").click()
    page.get_by_label("Value of 1", exact=True).wait_for()
    page.get_by_text("The rule as JSON").click()
    type_in(page, "Name", "Many points, seldom here")
    expect(page.get_by_role("button", name="Store", exact=True)).to_be_enabled()
    main_of(page).evaluate("one => one.scrollTo(0, 0)")


_VIEWS: dict[str, Callable[[Page, list[str]], None]] = {
    "overview": overview,
    "segments": segments,
    "compose": compose,
    "message": message,
    "look-up": look_up,
    "apps": apps,
}
