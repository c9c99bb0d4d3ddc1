"""A key is rotated while it is in use, and no request of a client that switches in time fails."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.api.doors import bearer, settings_for
from tests.api.serving import Served, served
from tests.deadlines import wait_until

_OVERLAP_SECONDS = 3
_CLIENTS = 4
_ROTATIONS = 10


@pytest.fixture
def server(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server of this test."""
    settings = settings_for(database_url, redis_url)
    with served(settings, tmp_path_factory.mktemp("server")) as server:
        yield server


@dataclass(slots=True)
class Client:
    """A program that reads without end, with the secret it was given last."""

    server: Served
    secret: str
    answers: list[tuple[str, int]] = field(default_factory=list)

    def read(self, end: threading.Event) -> None:
        """Read until the end."""
        while not end.is_set():
            secret = self.secret
            answer = self.server.http.get("/v1/people", headers=bearer(secret))
            self.answers.append((secret, answer.status_code))

    def has_read(self, secret: str, times: int) -> bool:
        """Tell whether it has read so often with a secret."""
        return sum(used == secret for used, _ in list(self.answers)) >= times


@contextmanager
def _reading(server: Served, secret: str) -> Iterator[list[Client]]:
    clients = [Client(server, secret) for _ in range(_CLIENTS)]
    end = threading.Event()
    threads = [threading.Thread(target=one.read, args=(end,)) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_a_rotation_under_load_fails_no_request_and_ends_the_old_key_on_time(
    server: Served,
) -> None:
    path, admin = f"{server.app.path}/keys", server.app.admin
    body = {"kind": "server", "name": "Backend", "scopes": ["people:read"]}
    old = server.http.post(path, headers=admin, json=body).json()

    with _reading(server, old["secret"]) as clients:
        wait_until(lambda: all(one.has_read(old["secret"], 3) for one in clients), 30, "a start")
        begun = time.monotonic()
        new = server.http.post(
            f"{path}/{old['id']}/rotate",
            headers=admin,
            json={"overlap_seconds": _OVERLAP_SECONDS},
        ).json()
        for client in clients:
            client.secret = new["secret"]
        wait_until(lambda: all(one.has_read(new["secret"], 3) for one in clients), 30, "a switch")
        switched = time.monotonic()
        wait_until(lambda: not _is_good(server, old["secret"]), 30, "the old key ends")
        ended = time.monotonic()
        seen = sum(len(one.answers) for one in clients)
        wait_until(
            lambda: sum(len(one.answers) for one in clients) > seen + _CLIENTS, 30, "it goes on"
        )

    assert switched - begun < _OVERLAP_SECONDS, "this machine is too busy to tell"
    assert {status for one in clients for _, status in one.answers} == {200}
    assert ended - begun >= _OVERLAP_SECONDS
    refused = server.http.get("/v1/people", headers=bearer(old["secret"]))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")
    assert 'error="token_expired"' in refused.headers["www-authenticate"]


def test_ten_rotations_at_once_leave_one_successor(server: Served) -> None:
    path, admin = f"{server.app.path}/keys", server.app.admin
    body = {"kind": "server", "name": "Backend", "scopes": ["people:read"]}
    old = server.http.post(path, headers=admin, json=body).json()
    start = threading.Barrier(_ROTATIONS)

    def rotate(_number: int) -> httpx.Response:
        start.wait(timeout=30)
        return server.http.post(f"{path}/{old['id']}/rotate", headers=admin, json={})

    with ThreadPoolExecutor(_ROTATIONS) as pool:
        answers = list(pool.map(rotate, range(_ROTATIONS)))
    keys = server.http.get(path, headers=admin, params={"limit": 100}).json()["data"]

    made = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code != 201]
    assert len(made) == 1
    assert [(one["status"], one["code"]) for one in refused] == [(409, "conflict")] * 9
    assert "successor" in refused[0]["detail"]
    assert {key["id"] for key in keys if key["name"] == "Backend"} == {old["id"], made[0]["id"]}
    assert _is_good(server, made[0]["secret"])
    again = server.http.post(f"{path}/{made[0]['id']}/rotate", headers=admin, json={})
    assert again.status_code == 201, "a successor can be rotated in its turn"


def test_a_rotation_whose_answer_was_lost_is_repeated_by_its_idempotency_key(
    server: Served,
) -> None:
    path, admin = f"{server.app.path}/keys", server.app.admin
    body = {"kind": "server", "name": "Backend", "scopes": ["people:read"]}
    old = server.http.post(path, headers=admin, json=body).json()
    headers = {**admin, "Idempotency-Key": f"rotation of {old['id']}"}

    answers = [
        server.http.post(f"{path}/{old['id']}/rotate", headers=headers, json={}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def _is_good(server: Served, secret: str) -> bool:
    return server.http.get("/v1/people", headers=bearer(secret)).status_code == 200
