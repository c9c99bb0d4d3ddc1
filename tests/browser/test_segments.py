"""A marketer builds a segment in a real browser, sees whom it reaches, and writes to it."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import PEOPLE, Place
from tests.browser.steps import calm, go, heading, sign_in, type_in


def choose(page: Page, label: str, option: str, *, typed: str | None = None) -> None:
    """Choose in a list by its label; with `typed`, write that first."""
    field = page.get_by_role("combobox", name=re.compile(f"(^|, |\\. ){re.escape(label)}$"))
    field.click()
    if typed:
        field.fill(typed)
    page.get_by_role("option", name=option).first.click()
    calm(page)


def test_a_segment_is_built_counted_and_written_to(page: Page, place: Place) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, place)
    go(page, "Segments")
    heading(page, "Segments")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{PEOPLE:,}")

    choose(page, "Add to the rule", "Person")
    choose(page, "Field of 1", "external_id")
    type_in(page, "Value of 1", "person-00001")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("1")
    choose(page, "Group the rule", "None of these hold")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{PEOPLE - 1:,}")
    page.get_by_text("The rule as JSON").click()
    expect(page.get_by_text('"external_id"').first).to_be_visible()
    type_in(page, "Name", "All but the first")
    page.get_by_role("button", name="Store", exact=True).click()
    page.get_by_role("link", name="Write to these people").click()

    heading(page, "Compose")
    expect(page.get_by_text("Who is in it when the message is due gets it.")).to_be_visible()
    type_in(page, "Title", "For all but one")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_text("This goes to the segment now")).to_be_visible()
    assert errors == []
