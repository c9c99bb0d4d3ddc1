"""The frame: sign-in, sign-out, and an API that is away, slow or refuses."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.console.live import serve_api
from tests.console.pages import by_label, errors, go, open_console, press, shown, sign_in
from tests.console.small_api import KEY, SmallApi, problem
from tests.e2e.scene import Scene


@pytest.fixture
def closed(scene: Scene) -> Iterator[AppTest]:
    """The console before the sign-in."""
    with serve_api(scene.settings) as url, open_console(url) as page:
        yield page


@pytest.fixture
def page(small_api: SmallApi) -> Iterator[AppTest]:
    """The console over the small API, signed in."""
    app = {"id": "app_one", "name": "Shop", "created_at": "2026-01-02T03:04:05Z"}
    small_api.answers["/v1/apps"] = 200, {"data": [app]}
    small_api.answers["/v1/messages"] = 200, {"data": []}
    small_api.answers["/v1/apps/app_one/credentials"] = 200, {"data": []}
    free: dict[str, object] = {"is_on": False, "reason": None, "set_at": None, "stopped_by": []}
    small_api.answers["/v1/apps/app_one/kill-switch"] = 200, free
    small_api.answers["/v1/stats/deliveries"] = 200, {"data": []}
    with open_console(small_api.url) as page:
        yield sign_in(page, KEY)


def test_nothing_is_shown_before_the_sign_in(small_api: SmallApi) -> None:
    with open_console(small_api.url) as page:
        for name in ("overview", "compose", "message", "lookup", "apps"):
            go(page, name)
            assert [field.label for field in page.text_input] == ["Admin key", "App id"]

        assert by_label(page.text_input, "Admin key").proto.type == 1
        assert small_api.paths == []


def test_a_known_key_opens_every_page(scene: Scene, closed: AppTest) -> None:
    sign_in(closed, scene.key)

    titles = [
        shown(go(closed, name).title) for name in ("overview", "compose", "message", "lookup")
    ]

    assert errors(closed) == []
    assert titles == [["Overview"], ["Compose"], ["Messages"], ["Look up"]]
    assert shown(go(closed, "apps").title) == ["Test"]


def test_an_unknown_key_is_refused_in_the_words_of_the_api(closed: AppTest) -> None:
    sign_in(closed, f"ca_{'x' * 43}")

    assert "The key is unknown, revoked or mistyped." in errors(closed)[0]
    assert "access" not in closed.session_state


@pytest.mark.parametrize("key", ["", "   ", "ca_schlüssel", "a\0b", "a\nb"])
def test_what_can_not_be_a_key_is_not_even_asked(small_api: SmallApi, key: str) -> None:
    with open_console(small_api.url) as page:
        sign_in(page, key)

        assert errors(page) == ["Enter the key as it was printed."]
        assert small_api.paths == []


@pytest.mark.parametrize("kind", ["server", "client"])
def test_a_key_that_is_no_admin_key_is_said_so(scene: Scene, closed: AppTest, kind: str) -> None:
    scopes = ["messages:read"] if kind == "server" else []
    body = {"kind": kind, "name": "Shop", "scopes": scopes}
    made = scene.post(f"/v1/apps/{scene.app_id}/keys", body)

    sign_in(closed, made["secret"])

    assert errors(closed) == ["This is no admin key; make one with `./carillon app create NAME`."]
    assert "access" not in closed.session_state


def test_an_operator_works_in_the_app_that_is_chosen(scene: Scene, closed: AppTest) -> None:
    other = scene.post("/v1/apps", {"name": "Other"})

    sign_in(closed, scene.key, other["id"])
    first = shown(go(closed, "apps").title)
    by_label(closed.selectbox, "App").set_value(scene.app_id).run()

    assert first == ["Other"]
    assert shown(closed.title) == ["Test"]


def test_signing_out_forgets_the_key(page: AppTest) -> None:
    press(page, "Sign out")

    assert "access" not in page.session_state
    assert [field.label for field in page.text_input] == ["Admin key", "App id"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (503, problem("unavailable", "The database does not answer.")),
            "The database does not answer.",
        ),
        ((500, b"broken"), "The API answered 500."),
        ((401, problem("token_expired", "The key has expired.")), "Sign in again with a key"),
        ((403, problem("forbidden_scope", "It needs the scope.")), "It needs the scope."),
        ((200, b"<html>"), "The answer is not one of this API."),
    ],
)
def test_trouble_is_said_in_words(
    page: AppTest, small_api: SmallApi, answer: tuple[int, object], words: str
) -> None:
    for path in ("/v1/messages", "/v1/stats/deliveries"):
        small_api.answers[path] = answer

    go(page, "overview")

    assert words in errors(page)[0]


@pytest.mark.parametrize("name", ["overview", "message", "apps"])
def test_an_api_that_goes_away_is_said_in_words(
    page: AppTest, small_api: SmallApi, name: str
) -> None:
    small_api.away.set()

    go(page, name)

    assert errors(page)
    assert set(errors(page)) == {
        "The API does not answer. Check that it runs and that the console has its address."
    }


def test_a_slow_api_is_said_in_words(page: AppTest, small_api: SmallApi) -> None:
    small_api.silent.set()

    go(page, "message")

    assert errors(page) == [
        "The API took too long to answer. It may be busy: try again in a moment."
    ]
