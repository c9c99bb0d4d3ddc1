"""PostgreSQL is away: a clear 503 and nothing half-written; workers go on when it is back."""

import time
from typing import Any

import pytest

from api.services.pair import Pair
from tests.chaos.stage import Stage
from tests.deadlines import note, wait_until

_DEVICES = 600
_CROWD = 3_000
_AWAY_SECONDS = 60.0
_MESSAGE: dict[str, Any] = {
    "to": {"all": True}, "content": {"title": "Hello"}, "send_at": "2099-01-01T00:00:00Z"
}  # fmt: skip
_REQUESTS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/v1/messages", None),
    ("GET", "/v1/people/ada", None),
    ("POST", "/v1/messages", _MESSAGE),
    ("POST", "/v1/people/batch", {"people": [{"external_id": "ada"}]}),
    ("PUT", "/v1/people/ada", {"attributes": {"first_name": "Ada"}}),
)


def check_unavailable(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "unavailable"


def test_requests_are_answered_503_and_nothing_is_half_written(
    own_stage: Stage, own_pair: Pair
) -> None:
    http = own_stage.scene.http
    before = http.get("/v1/messages").json()["data"]

    own_pair.postgres.stop()
    answers = [http.request(method, path, json=body) for method, path, body in _REQUESTS]
    alive, ready = http.get("/healthz"), http.get("/readyz")
    own_pair.postgres.start()

    for answer in answers:
        check_unavailable(answer)
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert http.get("/v1/messages").json()["data"] == before == []
    assert http.get("/v1/people/ada").status_code == 404
    assert http.get("/readyz").json()["state"] == "ready"


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_an_idempotency_key_works_across_a_restart(
    own_stage: Stage, own_pair: Pair, mode: Any
) -> None:
    own_stage.add_devices(1)
    http = own_stage.scene.http
    key = {"Idempotency-Key": "order-7"}

    first = http.post("/v1/messages", json=_MESSAGE, headers=key)
    own_pair.postgres.stop(mode)
    away = http.post("/v1/messages", json=_MESSAGE, headers=key)
    own_pair.postgres.start()
    again = http.post("/v1/messages", json=_MESSAGE, headers=key)

    check_unavailable(away)
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    assert len(http.get("/v1/messages").json()["data"]) == 1


def test_a_campaign_survives_crashes_of_the_database(own_stage: Stage, own_pair: Pair) -> None:
    own_stage.add_devices(_DEVICES)
    own_stage.scene.sandbox.control.profile(latency={"p50": 150, "p99": 400, "max": 600})
    worker = own_stage.crew.start()
    message_id = own_stage.send()

    for progress in (50, 200, 350):
        own_stage.wait_accepted(progress)
        own_pair.postgres.restart("immediate")
    books = own_stage.wait_end(message_id)

    assert books.message["counts"]["accepted"] == books.message["targeted"] == _DEVICES
    assert books.duplicates == 0
    worker.terminate(15)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_minute_without_the_database(own_stage: Stage, own_pair: Pair) -> None:
    own_stage.add_devices(_CROWD)
    own_stage.scene.sandbox.control.profile(latency={"p50": 150, "p99": 400, "max": 600})
    lease = own_stage.scene.settings.lease_seconds
    worker = own_stage.crew.start()
    message_id = own_stage.send(rate_per_second=300)
    own_stage.wait_accepted(300)

    own_pair.postgres.stop("immediate")
    away_since = time.time()
    wait_until(lambda: time.time() >= away_since + _AWAY_SECONDS, 90, "a minute passes")
    last = float(own_stage.scene.sandbox.control.stats()["last_arrival"]) - away_since
    reached = own_stage.accepted()
    own_pair.postgres.start()
    books = own_stage.wait_end(message_id, 120)

    note(f"last push {last:.2f} s after the database was gone, with a lease of {lease:g} s")
    # What had its intent recorded may leave, and nothing after the lease.
    assert last <= lease
    assert reached < _CROWD
    # The worker has kept every answer: nobody is in doubt.
    assert books.message["counts"]["accepted"] == books.message["targeted"] == _CROWD
    assert books.duplicates == 0
    worker.terminate(15)
