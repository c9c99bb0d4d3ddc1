"""The overview goes on by itself and leaves alone whoever types in it."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Place
from tests.browser.steps import sign_in


def test_a_new_rate_is_typed_in_peace_while_the_overview_lives(page: Page, place: Place) -> None:
    content = {"title": "Slowly"}
    to = {"to": {"all": True}, "lane": "campaign", "content": content, "rate_per_second": 5}
    message_id = place.client.send(to)["id"]
    sign_in(page, place)
    page.get_by_role("button", name="Rate: 5 a second").click()
    field = page.get_by_label("At most so many a second", exact=True)

    field.press_sequentially("400")
    ended = page.get_by_text("recipients have ended").first
    for _ in range(3):
        expect(ended).not_to_have_text(ended.inner_text())
    page.get_by_role("button", name="Set the rate").click()

    expect(page.get_by_text("At most 400 a second from now on.").first).to_be_visible()
    assert place.client.read(message_id)["rate_per_second"] == 400
