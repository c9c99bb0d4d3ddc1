"""The export of a segment: whole, bounded, and nothing a spreadsheet would run."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.doors import AppDoors, Doors, open_doors, problem
from tests.api.test_segments import GOLD, make


def _export(app: AppDoors, segment: str, **query: str) -> list[dict[str, str]]:
    path = f"/v1/segments/{segment}/export"
    answer = app.client.get(path, headers=app.server, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def _batch(app: AppDoors, people: list[Any]) -> None:
    for start in range(0, len(people), 1_000):
        body = {"people": people[start : start + 1_000]}
        answer = app.client.post("/v1/people/batch", headers=app.server, json=body)
        assert answer.json()["failed"] == 0


def test_everybody_in_the_segment_is_in_the_file_once(app: AppDoors) -> None:
    # More than one batch is read, and written as it comes.
    gold: list[Any] = [
        {"external_id": f"p{n}", "attributes": {"plan": "gold"}} for n in range(2_500)
    ]
    _batch(app, [*gold, {"external_id": "other"}])
    found = _export(app, make(app)["id"])

    assert sorted(one["external_id"] for one in found) == sorted(one["external_id"] for one in gold)


def test_a_person_is_written_whole_and_never_as_a_formula(app: AppDoors) -> None:
    person = {"external_id": '=cmd|"x"', "attributes": {"plan": "gold", "a": 'ü,"\n'}}
    _batch(app, [{**person, "locale": "de-AT", "country": "AT"}])
    (found,) = _export(app, make(app)["id"])

    assert found["external_id"] == '\'=cmd|"x"'
    assert (found["locale"], found["country"], found["time_zone"]) == ("de-AT", "AT", "")
    assert json.loads(found["attributes"]) == {"plan": "gold", "a": 'ü,"\n'}
    assert found["created_at"].endswith("Z")


def test_nobody_is_an_empty_file(app: AppDoors) -> None:
    assert _export(app, make(app)["id"]) == []


def test_connections_come_back(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "gold"})
    segment = make(app)["id"]
    before = doors.services.engine.pool.checkedout()  # type: ignore[attr-defined]
    for _ in range(30):
        assert len(_export(app, segment)) == 1

    assert doors.services.engine.pool.checkedout() == before  # type: ignore[attr-defined]


def test_who_may_not_read_people_exports_none(app: AppDoors, doors: Doors) -> None:
    segment = make(app, GOLD)["id"]
    writer = doors.new_key(app.inner_id, "server", ["segments:write"])
    path = f"/v1/segments/{segment}/export"

    problem(doors.client.get(path, headers=writer), 403, "forbidden_scope")
    unknown = app.client.get("/v1/segments/seg_nothing/export", headers=app.server)
    problem(unknown, 404, "segment_not_found")


def test_of_an_app_one_export_is_read_at_a_time(app: AppDoors, doors: Doors) -> None:
    path = f"/v1/segments/{make(app)['id']}/export"
    with doors.services.exports.taken(app.inner_id):
        refused = app.client.get(path, headers=app.server)

    assert problem(refused, 503, "exports_busy")
    assert refused.headers["retry-after"] == "10"
    assert app.client.get(path, headers=app.server).status_code == 200


def test_few_exports_leave_connections_for_all_else(app: AppDoors, doors: Doors) -> None:
    path = f"/v1/segments/{make(app)['id']}/export"
    most = doors.services.settings.database_pool_size // 4
    with ExitStack() as stack:
        for _ in range(most):
            stack.enter_context(doors.services.exports.making())
        refused = app.client.get(path, headers=app.server)

    assert problem(refused, 503, "exports_busy")
    assert app.client.get(path, headers=app.server).status_code == 200


def test_few_files_lie_on_the_disk_at_once(app: AppDoors, doors: Doors) -> None:
    path = f"/v1/segments/{make(app)['id']}/export"
    with ExitStack() as stack:
        for other in range(1, doors.services.settings.export_max_files + 1):
            stack.enter_context(doors.services.exports.taken(-other))
        refused = app.client.get(path, headers=app.server)

    assert problem(refused, 503, "exports_busy")
    assert app.client.get(path, headers=app.server).status_code == 200


def test_an_export_that_fails_gives_its_place_back(app: AppDoors) -> None:
    for _ in range(2):
        unknown = app.client.get("/v1/segments/seg_nothing/export", headers=app.server)
        problem(unknown, 404, "segment_not_found")
    refused = app.client.head(f"/v1/segments/{make(app)['id']}/export", headers=app.server)

    assert refused.status_code == 200
    assert _export(app, make(app)["id"]) == []


def test_numbers_beyond_64_bits_are_written_as_they_are(app: AppDoors) -> None:
    app.add_person("ada", attributes={"plan": "gold", "big": 1e300})
    (found,) = _export(app, make(app)["id"])

    assert json.loads(found["attributes"])["big"] == 10**300


def test_who_was_in_the_segment_is_written_as_they_were(app: AppDoors, doors: Doors) -> None:
    app.add_person("ada", attributes={"plan": "gold"})
    with doors.services.engine.connect() as connection:
        then = connection.scalar(text("SELECT clock_timestamp()")).isoformat()
    app.add_person("ada", attributes={"plan": "free"})
    app.add_person("bob", attributes={"plan": "gold"})
    (found,) = _export(app, make(app)["id"], at=then)

    assert (found["external_id"], json.loads(found["attributes"])) == ("ada", {"plan": "gold"})


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_length_is_told_packed_or_not(app: AppDoors, encoding: str) -> None:
    app.add_person("ada", attributes={"plan": "gold", "text": "x" * 5_000})
    path = f"/v1/segments/{make(app)['id']}/export"
    headers = {**app.server, "Accept-Encoding": encoding}
    with app.client.stream("GET", path, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    head = app.client.head(path, headers=headers)

    assert answer.headers.get("content-encoding", "identity") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "etag" not in answer.headers
    assert int(answer.headers["content-length"]) == len(raw)
    whole = gzip.decompress(raw) if encoding == "gzip" else raw
    assert whole.startswith(b"external_id,")
    assert len(whole) > 5_000
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


@contextmanager
def _limited(doors: Doors, app: AppDoors, **limits: Any) -> Iterator[AppDoors]:
    """Yield the app at the doors of a server with other limits, where many people are gold."""
    _batch(app, [{"external_id": f"p{n}", "attributes": {"plan": "gold"}} for n in range(100)])
    settings = doors.services.settings.model_copy(update=limits)
    with open_doors(settings) as other:
        yield replace(app, client=other.client)


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"export_max_bytes": 1_000}, 409, "export_too_large"),
        ({"export_free_bytes": 1 << 60}, 503, "export_not_written"),
        ({"export_seconds": 1e-9}, 503, "export_too_slow"),
    ],
)
def test_what_ends_an_export_is_told_before_its_first_byte(
    app: AppDoors, doors: Doors, limits: dict[str, Any], status: int, code: str
) -> None:
    with _limited(doors, app, **limits) as narrow:
        path = f"/v1/segments/{make(narrow)['id']}/export"
        plain = {**app.server, "Accept-Encoding": "identity"}
        for _ in range(2):
            # The place of the first one is free again.
            problem(narrow.client.get(path, headers=plain), status, code)


def test_more_fits_in_when_it_is_packed(app: AppDoors, doors: Doors) -> None:
    with _limited(doors, app, export_max_bytes=2_000) as narrow:
        path = f"/v1/segments/{make(narrow)['id']}/export"
        plain = narrow.client.get(path, headers={**app.server, "Accept-Encoding": "identity"})
        packed = narrow.client.get(path, headers={**app.server, "Accept-Encoding": "gzip"})

    problem(plain, 409, "export_too_large")
    assert packed.status_code == 200
    assert len(packed.text.splitlines()) == 101


def test_a_rule_that_takes_too_long_is_told_before_the_first_byte(
    app: AppDoors, doors: Doors
) -> None:
    with (
        _limited(doors, app, rule_timeout_seconds=0.02) as hurried,
        doors.services.engine.connect() as holder,
        holder.begin(),
    ):
        path = f"/v1/segments/{make(hurried)['id']}/export"
        holder.execute(text("LOCK TABLE person IN ACCESS EXCLUSIVE MODE"))

        problem(hurried.client.get(path, headers=app.server), 503, "rule_timeout")
