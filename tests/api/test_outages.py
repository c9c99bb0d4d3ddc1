"""Connections end around a COMMIT: a 503 says what is known of it, and what it says is true."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text

from api.outages import run_known
from bench.relay import Link, relay_to_postgres
from core.errors import UnavailableError
from tests.api.doors import AppDoors, Doors, bearer, open_doors, problem, settings_for

_WRITE = b"INSERT INTO message"
_MESSAGE = {"to": {"people": ["ada"]}, "content": {"title": "Hello"}}


class Line:
    """The way to the database; breaks once where it is told to."""

    def __init__(self) -> None:
        self.word: bytes | None = None
        self.is_carried = False
        self.writer: Link | None = None

    def judge(self, link: Link, data: bytes) -> bool:
        """Carry all, but for the word: it, or the answer to it, is lost with the connection."""
        if _WRITE in data:
            self.writer = link
        if self.word is None or self.word not in data or link is not self.writer:
            return True
        self.word = None
        link.swallow = True
        return self.is_carried

    def break_at(self, word: bytes, *, is_carried: bool) -> None:
        """Lose the connection that stores the next message when it says `word`."""
        self.word, self.is_carried, self.writer = word, is_carried, None


@pytest.fixture
def far(database_url: str, redis_url: str) -> Iterator[tuple[Line, AppDoors]]:
    """An app whose API reaches the database by a line that can be broken."""
    line, folder = Line(), Path(tempfile.mkdtemp(prefix="relay-"))
    url = make_url(database_url)
    own = url._replace(host=None, port=None).update_query_dict({"host": str(folder)})
    settings = settings_for(own.render_as_string(hide_password=False), redis_url)
    with relay_to_postgres(url, folder, line.judge), open_doors(settings) as doors:
        app = doors.new_app()
        app.add_person("ada")
        yield line, app
    shutil.rmtree(folder)


def send(app: AppDoors, key: str | None) -> Any:
    headers = {**app.server, "Idempotency-Key": key} if key else app.server
    return app.client.post("/v1/messages", headers=headers, json=_MESSAGE)


def stored(app: AppDoors) -> int:
    return len(app.client.get("/v1/messages", headers=app.server).json()["data"])


@pytest.mark.parametrize("is_carried", [True, False])
def test_a_commit_without_an_answer_is_called_unknown_and_done_once(
    far: tuple[Line, AppDoors], *, is_carried: bool
) -> None:
    line, app = far

    line.break_at(b"COMMIT", is_carried=is_carried)
    lost = send(app, "order-1")
    before = stored(app)
    again = send(app, "order-1")

    assert (lost.status_code, lost.json()["code"]) == (503, "outcome_unknown")
    assert "did not say whether it was done" in lost.json()["detail"]
    assert "Idempotency-Key" in lost.json()["detail"]
    assert int(lost.headers["retry-after"]) >= 1
    # The words are the same in both cases, for nobody can tell them apart.
    assert before == is_carried
    assert again.status_code == 202, again.text
    assert ("idempotent-replay" in again.headers) == is_carried
    assert stored(app) == 1


def test_what_fails_before_its_commit_says_that_nothing_was_changed(
    far: tuple[Line, AppDoors],
) -> None:
    line, app = far

    line.break_at(_WRITE, is_carried=True)
    lost = send(app, "order-1")

    assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
    assert "Nothing was changed" in lost.json()["detail"]
    assert stored(app) == 0


def test_who_sent_no_key_is_not_told_to_repeat_it(far: tuple[Line, AppDoors]) -> None:
    line, app = far

    line.break_at(b"COMMIT", is_carried=True)
    lost = send(app, None)

    assert (lost.status_code, lost.json()["code"]) == (503, "outcome_unknown")
    assert "without an Idempotency-Key: look whether it was done" in lost.json()["detail"]
    assert stored(app) == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("40P01", "Others were changing the same"),
        ("40001", "Others were changing the same"),
        ("55P03", "Others were changing the same"),
        ("57014", "took too long"),
        ("53100", "no room left"),
        ("57P03", "does not answer"),
    ],
)
def test_what_the_database_says_is_told_as_it_is(doors: Doors, state: str, words: str) -> None:
    engine = doors.services.engine

    def fail(connection: Connection) -> None:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))

    with pytest.raises(UnavailableError) as raised:
        run_known(engine, fail, changes=True, has_key=False)

    assert words in raised.value.detail
    assert "Nothing was changed" in raised.value.detail


@pytest.mark.parametrize("path", ["/v1/events", "/v1/messages"])
def test_who_can_not_be_let_in_is_told_that_nothing_was_done(redis_url: str, path: str) -> None:
    key = bearer(f"ck_live_{'x' * 40}")
    nowhere = settings_for("postgresql://nobody@127.0.0.1:1/nothing", redis_url)
    with open_doors(nowhere) as doors:
        answer = doors.client.post(path, headers=key, json={"name": "seen", "person": "ada"})

    detail = problem(answer, 503, "unavailable")["detail"]
    assert detail == "The database does not answer. Nothing was changed. Try again in a moment."
