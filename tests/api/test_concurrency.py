"""Fifty clients at once, over HTTP: one effect for one key, nobody waits, nothing breaks."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Barrier

import httpx
import pytest

from tests.api.doors import bearer, settings_for
from tests.api.serving import CLIENTS, Served, served
from tests.deadlines import wait_until

_POOL = 10
# The pool's own time to wait is 2 s here; the rest is what a busy machine may add.
_QUICK_SECONDS = 20.0
_Timed = tuple[httpx.Response, float]


@pytest.fixture(scope="module")
def server(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server of this module; messages of other tests are in other apps."""
    settings = settings_for(
        database_url, redis_url, database_pool_size=_POOL, database_pool_timeout_seconds=2
    )
    with served(settings, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as there are clients, and some for those that wait."""
    with ThreadPoolExecutor(CLIENTS + _POOL) as pool:
        yield pool


def _at_once(
    pool: ThreadPoolExecutor, knock: Callable[[int], httpx.Response], clients: int = CLIENTS
) -> list[Future[_Timed]]:
    start = Barrier(clients)

    def run(number: int) -> _Timed:
        start.wait(timeout=30)
        begun = time.monotonic()
        return knock(number), time.monotonic() - begun

    return [pool.submit(run, number) for number in range(clients)]


def _statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["code"])


def test_one_key_is_one_message_and_nobody_waits_for_the_first(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    before = server.messages()
    with server.held():
        running = _at_once(threads, lambda _: server.send("rush"))
        wait_until(
            lambda: sum(one.done() for one in running) == CLIENTS - 1, 60, "the others answer"
        )
        (first,) = (one for one in running if not one.done())
        others = [one.result() for one in running if one.done()]
        # The first one still runs: whatever the others did, they did not wait for it.
        assert len(server.blocked()) == 1
        assert not first.done()

    made, _ = first.result(timeout=30)
    again = server.send("rush")
    assert made.status_code == 202
    assert {(answer.status_code, _code(answer)) for answer, _ in others} == {
        (409, "idempotency_key_in_use")
    }
    assert {answer.headers["retry-after"] for answer, _ in others} == {"1"}
    assert max(seconds for _, seconds in others) < _QUICK_SECONDS
    assert again.content == made.content
    assert again.headers["idempotent-replay"] == "true"
    assert server.messages() == before + 1


def test_without_a_slow_first_one_all_get_its_answer_or_are_told_to_repeat(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    before = server.messages()

    answers = [one.result()[0] for one in _at_once(threads, lambda _: server.send("quick"))]

    good = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in good}) == 1
    assert sum("idempotent-replay" not in answer.headers for answer in good) == 1
    rest = [answer for answer in answers if answer.status_code != 202]
    assert {_code(answer) for answer in rest} <= {"idempotency_key_in_use"}
    assert server.messages() == before + 1


def test_other_bodies_under_one_key_never_become_messages(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    before = server.messages()
    running = _at_once(threads, lambda number: server.send("shared", title=f"Number {number}"))
    answers = [one.result()[0] for one in running]

    assert _statuses(answers) == {202: 1, 409: CLIENTS - 1}
    refused = {_code(answer) for answer in answers if answer.status_code == 409}
    assert refused <= {"idempotency_key_in_use", "idempotency_key_reused"}
    late = server.send("shared", title="Yet another")
    assert (late.status_code, _code(late)) == (409, "idempotency_key_reused")
    assert server.messages() == before + 1


def test_after_a_crash_of_the_first_the_key_is_free(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    before = server.messages()
    with server.held():
        first = threads.submit(server.send, "crash")
        wait_until(lambda: len(server.blocked()) == 1, 30, "the first one is inside")
        (session,) = server.blocked()
        server.end(session)
        broken = first.result(timeout=30)

    again = server.send("crash")
    assert (broken.status_code, _code(broken)) == (503, "unavailable")
    assert broken.headers["retry-after"]
    assert again.status_code == 202
    assert "idempotent-replay" not in again.headers
    assert server.messages() == before + 1


def test_a_key_first_used_by_fifty_at_once_lets_all_in(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    path = f"{server.app.path}/keys"
    body = {"kind": "server", "name": "Fresh", "scopes": ["people:read", "people:write"]}
    made = server.http.post(path, headers=server.app.admin, json=body).json()
    headers = bearer(made["secret"])

    def knock(number: int) -> httpx.Response:
        if number % 2:
            return server.http.get("/v1/people", headers=headers)
        return server.http.put("/v1/people/ada", headers=headers, json={"locale": "en-GB"})

    answers = [one.result()[0] for one in _at_once(threads, knock)]

    # On a slow machine a connection may not come in time: that is said, and it is not the key.
    turned_away = [at for at, answer in enumerate(answers) if answer.status_code == 503]
    assert _statuses([*answers, *map(knock, turned_away)])[200] == CLIENTS
    keys = server.http.get(path, headers=server.app.admin).json()["data"]
    assert next(key for key in keys if key["id"] == made["id"])["last_used_at"]


def test_with_every_connection_taken_the_others_are_sent_away_and_nothing_breaks(
    server: Served, threads: ThreadPoolExecutor
) -> None:
    before = server.messages()
    with server.held():
        inside = [threads.submit(server.send) for _ in range(_POOL)]
        wait_until(lambda: len(server.blocked()) == _POOL, 30, "all connections are taken")
        people = _at_once(
            threads, lambda _: server.http.get("/v1/people", headers=server.app.server)
        )
        alive = server.http.get("/healthz")
        wait(people, timeout=60)
        turned_away = [one.result() for one in people]
        assert not any(one.done() for one in inside)

    assert alive.status_code == 200
    assert {(answer.status_code, _code(answer)) for answer, _ in turned_away} == {
        (503, "unavailable")
    }
    assert all(answer.headers["retry-after"] for answer, _ in turned_away)
    assert max(seconds for _, seconds in turned_away) < _QUICK_SECONDS
    assert {one.result(timeout=30).status_code for one in inside} == {202}
    assert server.messages() == before + _POOL
    assert server.http.get("/v1/people", headers=server.app.server).status_code == 200
