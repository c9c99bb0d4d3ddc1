"""What a person does in the console, step by step, in a real browser."""

import time

from playwright.sync_api import Error, Page, expect

from tests.browser.conftest import Place

_PATIENCE_SECONDS = 60
_TRY_MILLISECONDS = 5_000
PAGES = ("Overview", "Segments", "Compose", "Messages", "Look up", "Apps and keys")


def sign_in(page: Page, place: Place, app_id: str = "") -> None:
    page.goto(place.console_url)
    page.get_by_label("Admin key", exact=True).fill(place.key)
    page.get_by_label("App id", exact=True).fill(app_id)
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Overview")


def go(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).first.click()


def heading(page: Page, name: str) -> None:
    page.get_by_role("heading", name=name, exact=True).wait_for()


def calm(page: Page) -> None:
    """Wait until no script runs: what was typed has been taken in."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def type_in(page: Page, label: str, text: str) -> None:
    """Type into a field and leave it; again when a rerun has replaced it meanwhile.

    What a rerun replaces stays on the page, twice or with what it held before, until its script has
    ended, and a rerun may begin a moment after the page was calm.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    field = page.get_by_label(label, exact=True)
    while True:
        try:
            expect(field).to_have_count(1)
            field.fill(text, timeout=_TRY_MILLISECONDS)
            field.press("Tab", timeout=_TRY_MILLISECONDS)
            calm(page)
            expect(field).to_have_value(text, timeout=_TRY_MILLISECONDS)
        except (Error, AssertionError):
            if time.monotonic() > deadline:
                raise
        else:
            return
