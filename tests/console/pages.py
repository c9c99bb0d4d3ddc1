"""The console as a person uses it: sign in, go to a page, press, read."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from console import session
from console.errors import ApiAwayError, ApiSlowError, in_words
from tests.deadlines import wait_until

_APP = Path(__file__).resolve().parents[2] / "console" / "app.py"
_LIMIT_SECONDS = 120


@contextmanager
def open_console(api_url: str) -> Iterator[AppTest]:
    """Yield the console of the API at `api_url`, before the sign-in."""
    os.environ[session.API_URL_VARIABLE] = api_url
    try:
        yield AppTest.from_file(str(_APP), default_timeout=_LIMIT_SECONDS).run()
    finally:
        del os.environ[session.API_URL_VARIABLE]
        session.transport().close()
        session.transport.clear()


def sign_in(page: AppTest, key: str, app_id: str = "") -> AppTest:
    by_label(page.text_input, "Admin key").input(key)
    by_label(page.text_input, "App id").input(app_id)
    return press(page, "Sign in")


def surely_sign_in(page: AppTest, key: str) -> AppTest:
    """Sign in; an API that has just begun may take longer than the console waits for it."""

    def is_signed_in() -> bool:
        sign_in(page, key)
        refused = set(errors(page)) - {in_words(ApiSlowError()), in_words(ApiAwayError())}
        assert not refused
        return not any(one.label == "Admin key" for one in page.text_input)

    wait_until(is_signed_in, 60, "the console signs in")
    return page


def go(page: AppTest, name: str, **query: str) -> AppTest:
    """Go to the page whose path is `name`."""
    found = (
        page_hash
        for page_hash, info in page._registered_pages.items()
        if info.get("url_pathname") == name or (name == "overview" and not info["url_pathname"])
    )
    page._page_hash = next(found)
    page.query_params.clear()
    page.query_params.update(query)
    return page.run()


def press(page: AppTest, label: str) -> AppTest:
    by_label(page.button, label).click()
    return page.run()


def by_label(elements: Any, label: str) -> Any:
    """Return the one element with this label."""
    found = [one for one in elements if one.label == label]
    assert len(found) == 1, f"{label!r} among {[one.label for one in elements]}"
    return found[0]


def shown(elements: Any) -> list[str]:
    """Return the texts of elements as they are read, without Markdown's escapes."""
    return [re.sub(r"\\(.)", r"\1", one.value).replace("\N{WORD JOINER}", "") for one in elements]


def errors(page: AppTest) -> list[str]:
    assert not page.exception, page.exception
    return shown(page.error)
