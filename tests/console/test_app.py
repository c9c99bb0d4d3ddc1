"""The page as a person uses it, over a real HTTP server."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.console.small_api import KEY, SmallApi, message

_APP = Path(__file__).resolve().parents[2] / "console" / "app.py"


@pytest.fixture
def page(small_api: SmallApi, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    small_api.answers["/v1/messages"] = 200, {"data": [message(), message("msg_two")]}
    small_api.answers["/v1/messages/msg_one"] = 200, message()
    monkeypatch.setenv("CARILLON_CONSOLE_API_URL", small_api.url)
    return AppTest.from_file(str(_APP), default_timeout=30).run()


def _sign_in(page: AppTest, key: str = KEY, app_id: str = "") -> AppTest:
    page.text_input[0].input(key)
    page.text_input[1].input(app_id)
    return page.button[0].click().run()


def _errors(page: AppTest) -> list[str]:
    assert not page.exception
    return [error.value for error in page.error]


def test_nothing_is_shown_before_the_sign_in(page: AppTest, small_api: SmallApi) -> None:
    assert [field.label for field in page.text_input] == ["Admin key", "App id"]
    assert not page.dataframe
    assert small_api.paths == []


def test_the_key_is_not_readable_on_the_screen(page: AppTest) -> None:
    assert page.text_input[0].proto.type == page.text_input[0].proto.PASSWORD


def test_a_known_key_shows_the_recent_messages(page: AppTest) -> None:
    _sign_in(page)

    assert _errors(page) == []
    assert page.dataframe[0].value["Message"].tolist() == ["msg_one", "msg_two"]
    assert page.dataframe[0].value["Open"].tolist() == [2, 2]


def test_an_unknown_key_is_refused_in_the_words_of_the_api(page: AppTest) -> None:
    _sign_in(page, key="ca_wrong")

    assert _errors(page) == ["This key is not known."]
    assert not page.dataframe


@pytest.mark.parametrize("key", ["", "   ", "ca_schlüssel"])
def test_what_can_not_be_a_key_is_not_even_asked(
    page: AppTest, small_api: SmallApi, key: str
) -> None:
    _sign_in(page, key=key)

    assert _errors(page) == ["Enter the key as it was printed."]
    assert small_api.paths == []


def test_the_app_id_travels_with_every_call(page: AppTest, small_api: SmallApi) -> None:
    _sign_in(page, app_id="app_one")

    assert {asked.get("carillon-app") for asked in small_api.headers} == {"app_one"}
    assert len(small_api.headers) == 2


def test_one_message_is_looked_up(page: AppTest) -> None:
    _sign_in(page)

    page.text_input[0].input(" msg_one ").run()

    assert _errors(page) == []
    assert page.text[0].value == "msg_one is running on the campaign lane."
    assert page.metric[0].value == "10"
    counts = page.dataframe[1].value
    assert dict(zip(counts["Outcome"], counts["Recipients"], strict=True))["open"] == 2


def test_a_message_that_is_not_there_is_said_so(page: AppTest) -> None:
    _sign_in(page)

    page.text_input[0].input("msg_none").run()

    assert _errors(page) == ["There is no such message."]


def test_an_app_without_messages_says_so(page: AppTest, small_api: SmallApi) -> None:
    small_api.answers["/v1/messages"] = 200, {"data": []}

    _sign_in(page)

    assert [info.value for info in page.info] == ["No message has been sent yet."]


def test_an_api_that_goes_away_is_said_in_words(page: AppTest, small_api: SmallApi) -> None:
    _sign_in(page)
    small_api.answers["/v1/messages"] = 503, b""

    page.button[0].click().run()

    assert _errors(page) == ["The API answered 503."]


def test_signing_out_forgets_the_key(page: AppTest) -> None:
    _sign_in(page)

    next(button for button in page.button if button.label == "Sign out").click().run()

    assert "access" not in page.session_state
    assert [field.label for field in page.text_input] == ["Admin key", "App id"]
