"""One poisoned event among good ones, in a batch or beside it: only it is refused."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

from tests.api.doors import AppDoors, Doors, problem, settings_for
from tests.api.ingest.events import event, results, send_raw, stored
from tests.api.serving import Served, served

_SIZE = 100
_PLACE = 42
_DEEP = b"[" * 100_000 + b"]" * 100_000
_START = b'{"uuid": "%s", "name": "order_placed", "person": "ada", '

# Each as what stands behind `properties`, and the reason it is refused for.
POISONS: dict[str, tuple[bytes, str]] = {
    "nul": (rb'{"a": "\u0000"}', "nul_character"),
    "nul in a name": (rb'{"\u0000": 1}', "nul_character"),
    "infinite": (b'{"a": 1e999999}', "number_out_of_range"),
    "huge whole number": (b'{"a": ' + b"9" * 25 + b"}", "number_out_of_range"),
    "endless whole number": (b'{"a": ' + b"9" * 10_000 + b"}", "number_out_of_range"),
    "not a number": (b'{"a": NaN}', "malformed_json"),
    "300 KB": (b'{"a": "' + b"x" * 300_000 + b'"}', "too_long"),
    "not UTF-8": (b'{"a": "\xff\xfe"}', "not_utf8"),
    "cut UTF-8": (b'{"a": "\xc3"}', "not_utf8"),
    "deep": (b'{"a": ' + _DEEP + b"}", "too_deep"),
    "a little deep": (b'{"a": [[[[[1]]]]]}', "too_deep"),
    "half a surrogate": (rb'{"a": "\ud800"}', "lone_surrogate"),
    "other half": (rb'{"a": "\udc80"}', "lone_surrogate"),
    "twice": (b'{"a": 1, "a": 2}', "duplicate_field"),
    "no JSON": (b'{"a": nul}', "malformed_json"),
    "a control character": (b'{"a": "\x01"}', "malformed_json"),
    "year 2099": (b'{}, "at": "2099-01-01T00:00:00Z"', "in_the_future"),
    "year 0000": (b'{}, "at": "0000-01-01T00:00:00Z"', "invalid_value"),
    "30 February": (b'{}, "at": "2025-02-30T00:00:00Z"', "invalid_value"),
}


def poisoned(properties: bytes) -> bytes:
    return _START % str(uuid.uuid4()).encode() + b'"properties": ' + properties + b"}"


@pytest.mark.parametrize("name", POISONS)
def test_in_a_batch_only_the_poisoned_event_is_refused(
    doors: Doors, app: AppDoors, name: str
) -> None:
    properties, reason = POISONS[name]
    good = [event(properties={"n": n, "brackets": '[{"'}) for n in range(_SIZE - 1)]
    items = [orjson.dumps(one) for one in good]
    items.insert(_PLACE, poisoned(properties))

    found = results(send_raw(app, b'{"events": [' + b", ".join(items) + b"]}"))

    assert [one["index"] for one in found if one["status"] != "accepted"] == [_PLACE]
    assert found[_PLACE]["reason"] == reason
    assert found[_PLACE]["errors"][0]["pointer"].startswith(f"/events/{_PLACE}")
    assert {row.uuid for row in stored(doors, app)} == {one["uuid"] for one in good}


@pytest.mark.parametrize("name", POISONS)
def test_alone_it_is_a_problem(doors: Doors, app: AppDoors, name: str) -> None:
    properties, reason = POISONS[name]

    answer = send_raw(app, poisoned(properties))

    if reason in {"malformed_json", "not_utf8"}:
        problem(answer, 400, "malformed_json")
    else:
        document = problem(answer, 422, "invalid_payload")
        assert document["errors"][0]["code"] == reason
    assert stored(doors, app) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"events": [',
        b'{"events": [{"a": "]}',
        b'{"events": [{}, {}], "events": [{}, "\xff"]}',
        b'{"events": [{}, "\xff"], "sent_at": nul}',
        b'{"events": [{}, "\xff"]} and more',
        b'\xff{"events": []}',
    ],
)
def test_what_breaks_the_whole_is_a_problem_of_the_whole(app: AppDoors, body: bytes) -> None:
    answer = send_raw(app, body)

    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def server(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The doors for events in a process of their own."""
    folder: Path = tmp_path_factory.mktemp("ingest")
    settings = settings_for(database_url, redis_url, api_modules="events,people")
    with served(settings, folder) as server:
        yield server


def test_among_a_hundred_clients_only_the_poisoned_are_refused(
    server: Served, doors: Doors
) -> None:
    headers = {**server.app.server, "Content-Type": "application/json"}
    good = [event(name="alone") for _ in range(_SIZE)]
    bodies = [orjson.dumps(one) for one in good]
    bad = [poisoned(properties) for properties, _ in POISONS.values()]

    def post(body: bytes) -> httpx.Response:
        return server.http.post("/v1/events", headers=headers, content=body)

    with ThreadPoolExecutor(_SIZE) as clients:
        answers = list(clients.map(post, [*bodies, *bad]))

    assert [answer.status_code for answer in answers[:_SIZE]] == [201] * _SIZE
    assert {answer.status_code for answer in answers[_SIZE:]} == {400, 422}
    kept = {row.uuid for row in stored(doors, server.app) if row.name == "alone"}
    assert kept == {one["uuid"] for one in good}
