"""Text of others stays text on every page: nothing to click, no icon, nobody else asked."""

import time
from dataclasses import replace

import httpx
from playwright.sync_api import Page, expect

from api.demo.client import DemoClient
from delivery.sandbox.tokens import fcm_token
from tests.browser.conftest import Place
from tests.browser.steps import calm, go, heading, sign_in, type_in

NASTY = (
    "http://evil.test/a.png www.evil.test x@evil.test :material/bolt: :streamlit: :rocket: "
    "![p](http://evil.test/p.png) :red[r] <b>b</b> $x$ a -- b"
)
SHORT = ":material/bolt: www.evil.test"


def test_foreign_text_is_neither_link_nor_icon_nor_picture(page: Page, place: Place) -> None:
    nasty = replace(place, client=nasty_app(place))
    nasty.client.close()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, nasty, nasty.client.app_id)

    seen = [look(page, "Overview", 2), look(page, "Messages", 0), compose(page)]
    go(page, "Overview")
    page.get_by_role("link", name="evil.test").first.click()
    expect(page.get_by_text("Each recipient")).to_be_visible()
    seen.append(texts(page, 1))
    go(page, "Look up")
    type_in(page, "External id", NASTY)
    expect(page.get_by_role("heading", name="Messages")).to_be_visible()
    seen.append(texts(page, 3))
    seen.append(look(page, "Apps and keys", 1))
    page.get_by_text("Account", exact=True).click()
    page.get_by_test_id("stSelectbox").get_by_role("combobox").click()
    seen.append(texts(page, 1))

    assert seen == [[]] * len(seen)
    assert [url for url in asked if "evil" in url] == []


def nasty_app(place: Place) -> DemoClient:
    """An app in which every name, title and attribute is nasty."""
    operator = httpx.Client(
        base_url=place.api_url, headers={"Authorization": f"Bearer {place.key}"}, trust_env=False
    )
    with operator:
        made = operator.post("/v1/apps", json={"name": NASTY})
        app_id = made.raise_for_status().json()["id"]
        key = {"kind": "server", "name": NASTY, "scopes": ["messages:send"]}
        operator.headers["Carillon-App"] = app_id
        operator.post(f"/v1/apps/{app_id}/keys", json=key).raise_for_status()
        admin = {"kind": "server", "name": "all", "scopes": ["admin"]}
        made = operator.post(f"/v1/apps/{app_id}/keys", json=admin).raise_for_status()
    client = DemoClient(place.api_url, str(made.json()["secret"]), app_id)
    client.add_people([{"external_id": NASTY, "attributes": {"site": NASTY}}])
    phone = {
        "installation_id": "phone-of-nasty",
        "provider": "fcm",
        "kind": "token",
        "token": fcm_token("accepted", 999_998),
        "platform": "android",
        "person": NASTY,
        "model": SHORT,
    }
    client.add_devices([phone])
    for when in ({}, {"send_at": "2099-01-01T00:00:00Z"}):
        client.send({"to": {"people": [NASTY]}, "content": {"title": NASTY}, **when})
    return client


def compose(page: Page) -> list[str]:
    """Preview a nasty title, and name somebody whom the app does not know."""
    go(page, "Compose")
    type_in(page, "External ids, one in each line", f"{NASTY}\n{NASTY}!")
    type_in(page, "Title", NASTY)
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_text("does not know 1 of 2")).to_be_visible()
    return texts(page, 2)


def look(page: Page, name: str, times: int) -> list[str]:
    """Go to a page and return what became live there."""
    go(page, name)
    if name == "Apps and keys":
        page.get_by_role("tab", name="Credentials").wait_for()
    if name == "Overview":
        heading(page, "The newest that ended")
    calm(page)
    return texts(page, times)


def texts(page: Page, times: int) -> list[str]:
    """Return what became live of the nasty text, which stands there so often at least, whole."""
    deadline = time.monotonic() + 20
    while True:
        found: list[str] = page.evaluate(_LOOK, [NASTY, times])
        # A table may still be on its way; what is live stays so.
        if not found or time.monotonic() > deadline:
            return found
        page.wait_for_timeout(100)


_LOOK = """([nasty, times]) => {
  const main = document.querySelector('.stApp');
  const plain = main.innerText.replaceAll('\\u2060', '').replace(/\\s+/g, ' ');
  const shown = plain.split(nasty).length - 1;
  const live = [...main.querySelectorAll('a')].map(one => one.href)
    .filter(address => new URL(address).host !== location.host || address.startsWith('mailto'));
  const icons = [...main.querySelectorAll('[data-testid=stIconMaterial], [role=img]:not(.phone)')]
    .map(one => one.textContent).filter(name => /bolt|rocket/.test(name));
  const pictures = [...main.querySelectorAll('img')].map(one => one.src);
  const coloured = [...main.querySelectorAll('.stMarkdownColoredText, .katex')].map(() => 'colour');
  const missing = shown < times ? [`${shown} of ${times}: ${plain}`] : [];
  return [...missing, ...live, ...icons, ...pictures, ...coloured];
}"""
