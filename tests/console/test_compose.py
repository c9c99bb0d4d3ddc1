"""Compose: who, what, how, a preview, and exactly one message."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.console.pages import by_label, errors, go, press, shown
from tests.e2e.scene import Scene


@pytest.fixture
def page(scene: Scene, console: AppTest) -> AppTest:
    """Compose, in an app of three people with three devices."""
    for name in ("ada", "bob", "cy"):
        scene.add_people({"external_id": name, "attributes": {"first_name": name.title()}})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_iphone("ada", apns_token("accepted", 2))
    scene.add_device("bob", fcm_token("accepted", 3), permission="denied")
    return go(console, "compose")


def write(page: AppTest, title: str = "Hello {{ first_name }}", body: str = "") -> AppTest:
    by_label(page.text_input, "Title").input(title)
    by_label(page.text_area, "Body").input(body)
    return page.run()


def name_people(page: AppTest, text: str) -> AppTest:
    by_label(page.text_area, "External ids, one in each line").set_value(text)
    return page.run()


def choose(page: AppTest, label: str, value: str) -> AppTest:
    by_label(page.radio, label).set_value(value)
    return page.run()


def messages(scene: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.http.get("/v1/messages").json()["data"]
    return found


def test_everybody_is_counted_before_anything_is_sent(scene: Scene, page: AppTest) -> None:
    write(choose(page, "Send to", "Everybody"))

    press(page, "Review")

    assert errors(page) == []
    words = shown(page.warning)[0]
    assert "This goes to everybody now: 4 recipients." in words
    assert "It can be sent to 2 of them." in words
    assert "1: Notifications are switched off on this device." in words
    assert messages(scene) == []


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.1, "It takes about 20 seconds: its own rate decides."),
        (None, "It takes about a second: the speed of this installation decides."),
    ],
)
def test_it_is_said_how_long_it_takes(page: AppTest, rate: float | None, words: str) -> None:
    write(choose(page, "Send to", "Everybody"))
    by_label(page.number_input, "At most so many a second").set_value(rate)
    page.run()

    press(page, "Review")

    assert errors(page) == []
    assert words in shown(page.caption)


def test_a_second_press_sends_nothing_more(scene: Scene, page: AppTest) -> None:
    write(choose(page, "Send to", "Everybody"))
    press(page, "Review")
    review = page.session_state["visit-review"]

    press(page, "Send to 4 recipients")
    sent = shown(page.success)
    # What a second, queued press does: the same review is sent again.
    press(page, "Write another")
    write(choose(page, "Send to", "Everybody"))
    page.session_state["visit-review"] = review
    page.run()
    press(page, "Send to 4 recipients")

    assert errors(page) == []
    assert sent == shown(page.success) == ["It is on its way."]
    assert len(messages(scene)) == 1
    assert messages(scene)[0]["lane"] == "campaign"


def test_a_list_of_people_gets_it_with_all_that_was_asked(scene: Scene, page: AppTest) -> None:
    name_people(write(page), "ada\ncy\n\nada")
    by_label(page.selectbox, "Lane").set_value("transactional")
    by_label(page.number_input, "At most so many a second").set_value(50.0)
    by_label(page.number_input, "Hours until it is of no use any more").set_value(2)
    by_label(page.text_input, "Collapse id").input("greeting")
    page.run()

    press(press(page, "Review"), "Send to 3 recipients")

    assert errors(page) == []
    (message,) = messages(scene)
    assert (message["lane"], message["targeted"]) == ("transactional", 3)
    assert (message["rate_per_second"], message["ttl_seconds"]) == (50.0, 7_200)
    assert message["collapse_id"] == "greeting"


def test_an_upload_names_the_people(scene: Scene, page: AppTest) -> None:
    write(choose(page, "Send to", "An upload"))
    label = "CSV or text file of external ids"
    csv = b"name,external_id\nAda,ada\nBob,bob\n"
    by_label(page.file_uploader, label).set_value(("people.csv", csv, "text/csv")).run()

    press(press(page, "Review"), "Send to 3 recipients")

    assert errors(page) == []
    assert messages(scene)[0]["targeted"] == 3


def test_a_time_is_sent_with_its_zone(scene: Scene, page: AppTest) -> None:
    name_people(write(page), "ada")
    choose(page, "When", "At a time")
    by_label(page.text_input, "Time zone").set_value("Asia/Tokyo").run()

    words = shown(press(page, "Review").warning)[0]

    assert errors(page) == []
    assert "This goes to those named at " in words
    assert "+09:00" in words
    by_label(page.text_input, "Time zone").set_value("Nowhere").run()
    assert "This time zone is not known." in errors(page)[0]


def test_people_who_are_not_there_can_be_left_out(scene: Scene, page: AppTest) -> None:
    nobody = [f"nobody-{number:03}" for number in range(230)]
    press(name_people(write(page), "\n".join(["ada", *nobody, "cy"])), "Review")
    asked = errors(page)

    press(page, "Leave out 230")
    words = shown(page.warning)[0]
    press(page, "Send to 3 recipients")

    assert asked == [f"This app does not know 230 of 232: {', '.join(nobody[:20])} and 210 more."]
    assert "230 whom the app does not know are left out." in words
    assert messages(scene)[0]["targeted"] == 3


def test_a_list_with_the_unknown_can_be_corrected_instead(scene: Scene, page: AppTest) -> None:
    press(name_people(write(page), "ada\nnobody"), "Review")

    press(page, "Back to writing")

    assert errors(page) == []
    assert not [button for button in page.button if button.label.startswith("Send")]
    assert messages(scene) == []


def test_a_list_of_nobody_who_is_there_is_refused(page: AppTest) -> None:
    press(name_people(write(page), "nobody\nnobody else"), "Review")

    assert errors(page) == ["This app knows none of them: nobody, nobody else."]
    assert not [button for button in page.button if button.label.startswith("Leave")]


def test_the_preview_is_of_somebody_who_was_named(page: AppTest) -> None:
    write(page)
    first = by_label(page.text_input, "As this person would see it").value

    name_people(page, "nobody\nbob\nada")

    assert first == "ada"
    assert by_label(page.text_input, "As this person would see it").value == "bob"
    assert "Hello Bob<" in page.get("html")[0].proto.body


def test_a_change_asks_for_another_review(page: AppTest) -> None:
    name_people(write(page), "ada")
    press(page, "Review")

    write(page, "Another")

    assert not page.warning
    assert [button.label for button in page.button if button.label == "Review"] == ["Review"]


def test_the_preview_shows_what_each_phone_shows(page: AppTest) -> None:
    write(page, "Hello {{ first_name }}<script>", "You & me")
    by_label(page.text_input, "Title on iOS").set_value("Hi {{ first_name }}").run()

    html = page.get("html")[0].proto.body

    assert errors(page) == []
    assert "Hi Ada<" in html
    assert "Hello Ada&lt;script&gt;" in html
    assert "You &amp; me" in html
    assert any(text.startswith("Bytes: iOS by APNS") for text in shown(page.caption))


def test_what_is_wrong_stands_beside_the_preview(page: AppTest) -> None:
    write(page, "{{ nickname }}", "{{ skip('no') }}")

    assert any("iOS, title: 'nickname' is undefined" in words for words in errors(page))
    write(page, "{{ skip('no points') }}")
    assert "iOS: the template skips this person. no points" in shown(page.warning)


def test_extras_reach_the_message(scene: Scene, page: AppTest) -> None:
    name_people(write(page), "ada")
    page.text_input(key="subtitle-").input("Shop")
    page.text_input(key="link-").input("app://x")
    page.number_input(key="badge-").set_value(3)
    page.text_area(key="data-").input("campaign=points")
    page.text_area(key="data-android").input("channel=x")
    page.run()

    press(press(page, "Review"), "Send to 2 recipients")

    assert errors(page) == []
    content = scene.scalar("SELECT content FROM message")
    assert content["data"] == {"campaign": "points"}
    assert (content["subtitle"], content["deep_link"], content["badge"]) == ("Shop", "app://x", 3)
    assert content["android"] == {"data": {"channel": "x"}}


def test_data_that_is_none_is_said_so(page: AppTest) -> None:
    page.text_area(key="data-").set_value("nothing").run()

    assert errors(page) == ["Line 1 of the data is no `key=value`."]


def test_nothing_can_be_sent_before_there_is_anything(page: AppTest) -> None:
    assert not [button for button in page.button if button.label == "Review"]
    assert any("Name who shall get it" in text for text in shown(page.caption))
