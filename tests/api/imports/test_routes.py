"""Imports over HTTP, worked off by the duty of the maintenance lane."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.imports.duty import ImportDuty
from core.settings import Settings
from tests.api.doors import AppDoors, Doors, open_doors, pointers, problem, settings_for
from tests.api.imports.files import people_lines

_LIMIT = 2_000_000


@pytest.fixture
def settings(fresh_database: str, redis_url: str, tmp_path: Path) -> Settings:
    return settings_for(
        fresh_database,
        redis_url,
        state_dir=tmp_path,
        import_slice_lines=100,
        import_max_bytes=_LIMIT,
        lease_seconds=60.0,
    )


@pytest.fixture
def here(settings: Settings) -> Any:
    with open_doors(settings) as doors:
        yield doors


@pytest.fixture
def app(here: Doors) -> AppDoors:
    return here.new_app()


def upload(app: AppDoors, data: bytes, **query: Any) -> httpx2.Response:
    return app.client.post(
        "/v1/imports",
        params={"kind": "people", **query},
        headers={**app.server, "Content-Type": "text/csv"},
        content=data,
    )


def read(app: AppDoors, path: str, **query: Any) -> Any:
    answer = app.client.get(f"/v1/imports{path}", headers=app.server, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def work(here: Doors, limit: int = 1_000) -> int:
    """Work as a worker that is told to stop after `limit` slices."""
    looks = iter([False] * limit)
    duty = ImportDuty(here.services.settings, here.services.engine)
    return duty.run(lambda: next(looks, True))


def stored(here: Doors) -> list[str]:
    folder = here.services.settings.state_dir / "imports"
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def test_an_upload_is_imported_by_a_worker_and_its_bad_lines_are_paged(
    here: Doors, app: AppDoors
) -> None:
    data, bad = people_lines(1_000, bad_every=50)

    accepted = upload(app, data.encode(), name="customers.csv")
    waiting = read(app, f"/{accepted.json()['id']}")
    work(here)

    assert accepted.status_code == 202
    assert (waiting["state"], waiting["name"]) == ("pending", "customers.csv")
    done = read(app, f"/{accepted.json()['id']}")
    assert (done["state"], done["records"], done["created"], done["failed"]) == (
        "finished",
        1_000,
        980,
        20,
    )
    assert done["bytes_read"] == done["bytes_total"] == len(data.encode())
    assert done["finished_at"]
    assert _all_bad_lines(app, done["id"]) == sorted(bad)
    assert stored(here) == []


def _all_bad_lines(app: AppDoors, import_id: str) -> list[int]:
    lines: list[int] = []
    query: dict[str, Any] = {"limit": 7}
    while query.get("cursor", "first"):
        page = read(app, f"/{import_id}/errors", **query)
        lines += [entry["line"] for entry in page["data"]]
        assert all(entry["errors"] for entry in page["data"])
        query["cursor"] = page["next_cursor"]
    return lines


def test_a_form_with_a_gz_and_a_mapping_is_imported(here: Doors, app: AppDoors) -> None:
    data = gzip.compress(b"Customer ID;points\nu1;3\n")

    accepted = app.client.post(
        "/v1/imports",
        params={
            "kind": "people",
            "map": ["Customer ID=external_id", "points=attributes.points:int"],
        },
        headers=app.server,
        files={"file": ("crm.csv.gz", data)},
    )
    work(here)

    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["name"] == "crm.csv.gz"
    person = app.client.get("/v1/people/u1", headers=app.server).json()
    assert person["attributes"] == {"points": 3}


def test_devices_are_imported_too(here: Doors, app: AppDoors) -> None:
    app.add_person("u1")
    token = f"d{'1' * 21}:APA91b{'y' * 40}"
    line = {"installation_id": "phone-0001", "provider": "fcm", "token": token}
    data = json.dumps({**line, "platform": "android", "person": "u1"}).encode()

    accepted = upload(app, data, kind="devices")
    work(here)

    assert read(app, f"/{accepted.json()['id']}")["created"] == 1


@pytest.mark.parametrize(
    ("data", "query", "code"),
    [
        (b"", {}, "unreadable_file"),
        (b"external_id,a\n", {}, "unreadable_file"),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, "unreadable_file"),
        (b"external_id,n\xe9\n1,2\n", {}, "unreadable_file"),
        (b'external_id,"a\n1,2\n', {}, "unreadable_file"),
        (b"\x1f\x8brubbish", {}, "unreadable_file"),
        (b"name\nAda\n", {}, "invalid_mapping"),
        (b"external_id\n1\n", {"map": "external_id=name"}, "invalid_mapping"),
        (b"external_id\n1\n", {"map": "nick=attributes.nick"}, "invalid_mapping"),
        (b"external_id\n1\n", {"delimiter": ";;"}, "invalid_mapping"),
        (b"external_id\n1\n", {"kind": "devices", "unmapped": "attributes"}, "invalid_mapping"),
        (b"person,name,at\na,b,2021\n", {"kind": "events", "empty": "clear"}, "invalid_mapping"),
        (b"external_id\n1\n", {"kind": "pets"}, "invalid_payload"),
        (b"external_id\n1\n", {"colour": "red"}, "invalid_payload"),
        (b"external_id\n1\n", {"name": "\x07"}, "invalid_payload"),
    ],
)
def test_a_file_or_query_that_can_not_be_is_a_problem_and_leaves_nothing(
    here: Doors, app: AppDoors, data: bytes, query: dict[str, str], code: str
) -> None:
    problem(upload(app, data, **query), 422, code)

    assert read(app, "")["data"] == []
    assert stored(here) == []


def test_a_wrong_query_is_pointed_at(app: AppDoors) -> None:
    document = problem(upload(app, b"x", kind="pets"), 422, "invalid_payload")

    assert pointers(document) == {"query:kind": "invalid_value"}


def test_a_file_over_the_limit_is_refused_whether_it_says_so_or_not(
    here: Doors, app: AppDoors
) -> None:
    big = b"external_id\n" + b"x" * _LIMIT

    def pieces() -> Any:
        yield from (big[start : start + 65_536] for start in range(0, len(big), 65_536))

    headers = {**app.server, "Content-Type": "text/csv"}
    path = "/v1/imports?kind=people"

    problem(app.client.post(path, headers=headers, content=big), 413, "body_too_large")
    problem(app.client.post(path, headers=headers, content=pieces()), 413, "body_too_large")

    assert stored(here) == []


@pytest.mark.parametrize(
    ("boundary", "body"),
    [
        ("", b"x"),
        ("; boundary=b", b"no form at all"),
        ("; boundary=b", b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nexternal_id"),
        ("; boundary=b", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--\r\n"),
        ("; boundary=b", b"--b--\r\n"),
        pytest.param("; boundary=b", b"--b\r\n" + b"x" * 10_000, id="long header"),
    ],
)
def test_a_form_that_can_not_be_read_is_a_problem(
    here: Doors, app: AppDoors, boundary: str, body: bytes
) -> None:
    answer = app.client.post(
        "/v1/imports?kind=people",
        headers={**app.server, "Content-Type": f"multipart/form-data{boundary}"},
        content=body,
    )

    problem(answer, 400, "bad_request")
    assert stored(here) == []


def test_the_scope_decides_what_may_be_imported(here: Doors, app: AppDoors) -> None:
    only_devices = here.new_key(app.inner_id, "server", ["devices:write"])
    only_messages = here.new_key(app.inner_id, "server", ["messages:send"])

    def post(headers: dict[str, str], kind: str) -> httpx2.Response:
        content = b"external_id\n1\n" if kind == "people" else b"installation_id\n1\n"
        query = {"kind": kind, "unmapped": "ignore"}
        return app.client.post("/v1/imports", params=query, headers=headers, content=content)

    problem(post(only_devices, "people"), 403, "forbidden_scope")
    problem(post(only_messages, "devices"), 403, "forbidden_scope")
    problem(post(app.phone, "people"), 403, "forbidden_scope")
    problem(post({}, "people"), 401, "token_missing")
    problem(post(only_devices, "devices"), 422, "invalid_mapping")


def test_a_key_for_events_alone_uploads_events_and_follows_them(here: Doors, app: AppDoors) -> None:
    only_events = here.new_key(app.inner_id, "server", ["events:write"])
    lines = "type,person,at\nseen,ada,2021-02-03\nseen,ada,2021-02-03\nseen,ada,soon\n"

    def post(kind: str) -> httpx2.Response:
        query = {"kind": kind, "map": "type=name" if kind == "events" else "type=ignore"}
        content = gzip.compress(lines.encode())
        return app.client.post("/v1/imports", params=query, headers=only_events, content=content)

    accepted = post("events")
    repeated = post("events")
    work(here)

    assert (accepted.status_code, repeated.status_code) == (202, 202)
    ended = [
        app.client.get(f"/v1/imports/{one.json()['id']}", headers=only_events).json()
        for one in (accepted, repeated)
    ]
    assert [(job["created"], job["unchanged"], job["failed"]) for job in ended] == [
        (2, 0, 1),
        (0, 2, 1),
    ]
    bad = f"/v1/imports/{ended[0]['id']}/errors"
    (line,) = app.client.get(bad, headers=only_events).json()["data"]
    assert (line["line"], line["errors"][0]["column"]) == (4, "at")
    problem(post("people"), 403, "forbidden_scope")
    problem(post("devices"), 403, "forbidden_scope")


def test_another_apps_import_does_not_exist(here: Doors, app: AppDoors) -> None:
    made = upload(app, b"external_id\nu1\n").json()
    stranger = here.new_app()

    for path in ("", "/errors"):
        answer = app.client.get(f"/v1/imports/{made['id']}{path}", headers=stranger.server)
        problem(answer, 404, "not_found")
    assert read(stranger, "")["data"] == []


def test_an_upload_repeated_under_its_key_is_one_import(here: Doors, app: AppDoors) -> None:
    headers = {**app.server, "Idempotency-Key": "once"}
    path = "/v1/imports?kind=people"

    first = app.client.post(path, headers=headers, content=b"external_id\nu1\n")
    again = app.client.post(path, headers=headers, content=b"external_id\nu1\n")
    other = app.client.post(path, headers=headers, content=b"external_id\nu2\n")

    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    problem(other, 409, "idempotency_key_reused")
    assert len(read(app, "")["data"]) == len(stored(here)) == 1


def test_imports_are_paged_in_the_order_they_were_made(app: AppDoors) -> None:
    made = [upload(app, b"external_id\nu%d\n" % number).json()["id"] for number in range(3)]

    first = read(app, "", limit=2)
    second = read(app, "", limit=2, cursor=first["next_cursor"])

    assert [one["id"] for one in (*first["data"], *second["data"])] == made
    assert second["next_cursor"] is None


def test_a_worker_told_to_stop_hands_over_between_slices(here: Doors, app: AppDoors) -> None:
    made = upload(app, people_lines(1_000)[0].encode()).json()

    ended = work(here, limit=3)
    stopped = read(app, f"/{made['id']}")
    work(here)

    assert ended == 0
    assert (stopped["state"], stopped["records"]) == ("running", 300)
    assert read(app, f"/{made['id']}")["records"] == 1_000


def test_the_import_of_a_dead_worker_waits_for_its_lease_and_goes_on(
    here: Doors, app: AppDoors
) -> None:
    made = upload(app, people_lines(500)[0].encode()).json()
    work(here, limit=3)
    _lease(here, "1 hour")
    untouched = work(here)
    _lease(here, "-1 second")

    ended = work(here)

    assert (untouched, ended) == (0, 1)
    assert read(app, f"/{made['id']}")["created"] == 500


def _lease(here: Doors, rest: str) -> None:
    sql = "UPDATE import_job SET lease_until = now() + CAST(:rest AS interval)"
    with here.services.engine.begin() as connection:
        connection.execute(text(sql), {"rest": rest})


def test_a_file_gone_from_the_storage_fails_its_import_in_words(here: Doors, app: AppDoors) -> None:
    made = upload(app, b"external_id\nu1\n").json()
    for name in stored(here):
        (here.services.settings.state_dir / "imports" / name).unlink()

    work(here)

    document = read(app, f"/{made['id']}")
    assert document["state"] == "failed"
    assert "Upload it again" in document["failed_reason"]
