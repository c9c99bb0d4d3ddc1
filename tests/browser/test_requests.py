"""What a browser with the console open asks, and of whom; and what it offers to take away."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.conftest import Place
from tests.browser.steps import PAGES, calm, go, sign_in


def test_nobody_but_the_console_is_asked(page: Page, place: Place) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))

    sign_in(page, place)
    for name in PAGES:
        go(page, name)
        calm(page)

    web = [url for url in asked if not url.startswith(("data:", "blob:"))]
    assert {urlsplit(url).netloc for url in web} == {urlsplit(place.console_url).netloc}
    icon = page.locator("link[rel='shortcut icon']").get_attribute("href")
    assert icon is not None
    assert urlsplit(icon).path.startswith("/media/")


def test_no_table_is_taken_away_as_a_file_with_formulas(page: Page, place: Place) -> None:
    place.client.send({"to": {"people": ["person-00001"]}, "content": {"title": "=1+1"}})
    sign_in(page, place)

    go(page, "Messages")
    table = page.get_by_test_id("stDataFrame")
    table.hover()

    expect(page.get_by_role("button", name="Fullscreen")).to_be_visible()
    assert page.get_by_role("button", name="Download").count() == 0
