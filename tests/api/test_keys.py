"""Keys: shown once, rotated with an overlap, never above who makes them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, bearer, pointers, problem

_SERVER = {"kind": "server", "name": "Backend", "scopes": ["people:read"]}


def _make(app: AppDoors, **change: Any) -> dict[str, Any]:
    answer = app.client.post(f"{app.path}/keys", headers=app.admin, json={**_SERVER, **change})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_new_key_works_and_its_secret_is_shown_once(doors: Doors, app: AppDoors) -> None:
    made = _make(app)

    assert made["secret"].startswith("ck_live_")
    assert app.client.get("/v1/people", headers=bearer(made["secret"])).status_code == 200
    listed = app.client.get(f"{app.path}/keys", headers=app.admin)
    assert made["id"] in listed.text
    assert made["secret"] not in listed.text
    with doors.services.engine.connect() as connection:
        stored = connection.execute(text("SELECT row_to_json(k)::text FROM api_key k")).scalars()
        assert not any(made["secret"] in row for row in stored)


def test_a_client_key_begins_with_cc_and_holds_no_scopes(app: AppDoors) -> None:
    assert _make(app, kind="client", scopes=[])["secret"].startswith("cc_")


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"kind": "admin"}, {"/kind": "invalid_value"}),
        ({"kind": "client"}, {"/scopes": "too_long"}),
        ({"scopes": []}, {"/scopes": "too_short"}),
        ({"scopes": ["everything"]}, {"/scopes/0": "invalid_value"}),
        ({"scopes": ["operator"]}, {"/scopes/0": "invalid_value"}),
        ({"name": ""}, {"/name": "too_short"}),
        ({"name": "two\nlines"}, {"/name": "invalid_value"}),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {"/expires_at": "in_the_past"}),
        ({"expires_at": "2031-01-01"}, {"/expires_at": "invalid_value"}),
    ],
)
def test_a_bad_key_is_refused(app: AppDoors, change: dict[str, Any], faults: Any) -> None:
    answer = app.client.post(f"{app.path}/keys", headers=app.admin, json={**_SERVER, **change})

    assert pointers(problem(answer, 422, "invalid_payload")) == faults


def test_after_a_rotation_both_secrets_work_until_the_overlap_ends(
    doors: Doors, app: AppDoors
) -> None:
    old = _make(app)
    answer = app.client.post(
        f"{app.path}/keys/{old['id']}/rotate", headers=app.admin, json={"overlap_seconds": 600}
    )

    new = answer.json()
    assert answer.status_code == 201
    assert new["scopes"] == old["scopes"]
    for secret in (old["secret"], new["secret"]):
        assert app.client.get("/v1/people", headers=bearer(secret)).status_code == 200
    _let_time_pass(doors, old["id"])
    problem(app.client.get("/v1/people", headers=bearer(old["secret"])), 401, "token_expired")
    assert app.client.get("/v1/people", headers=bearer(new["secret"])).status_code == 200


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(app: AppDoors) -> None:
    old = _make(app)
    app.client.post(
        f"{app.path}/keys/{old['id']}/rotate", headers=app.admin, json={"overlap_seconds": 0}
    )

    problem(app.client.get("/v1/people", headers=bearer(old["secret"])), 401, "token_expired")


def test_a_rotation_never_makes_a_key_live_longer(app: AppDoors) -> None:
    end = (utc_now() + timedelta(seconds=60)).isoformat()
    old = _make(app, expires_at=end)

    new = app.client.post(
        f"{app.path}/keys/{old['id']}/rotate", headers=app.admin, json={"overlap_seconds": 3600}
    ).json()

    listed = app.client.get(f"{app.path}/keys", headers=app.admin).json()["data"]
    ends = {key["id"]: key["expires_at"] for key in listed}
    assert ends[old["id"]] == ends[new["id"]] == old["expires_at"]


def test_an_apps_admin_can_not_take_over_an_operators_key(doors: Doors, app: AppDoors) -> None:
    doors.new_key(app.inner_id, "admin", ["admin", "operator"])
    listed = app.client.get(f"{app.path}/keys", headers=app.admin).json()["data"]
    operators = [key["id"] for key in listed if "operator" in key["scopes"]]

    rotation = app.client.post(f"{app.path}/keys/{operators[0]}/rotate", headers=app.admin, json={})
    problem(rotation, 403, "forbidden_scope")
    problem(
        app.client.delete(f"{app.path}/keys/{operators[0]}", headers=app.admin),
        403,
        "forbidden_scope",
    )


def test_keys_come_in_pages(app: AppDoors) -> None:
    names = [_make(app, name=f"key {number}")["name"] for number in range(3)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        page = app.client.get(f"{app.path}/keys{query}", headers=app.admin).json()
        seen += [key["name"] for key in page["data"]]
        cursor = page["next_cursor"]

    assert seen == ["admin", "server", "client", *names]


def test_changes_are_in_the_audit_log_without_secrets(doors: Doors, app: AppDoors) -> None:
    made = _make(app)
    app.client.delete(f"{app.path}/keys/{made['id']}", headers=app.admin)

    statement = text(
        "SELECT action, subject, detail::text FROM audit WHERE app_id = :id ORDER BY id"
    )
    with doors.services.engine.connect() as connection:
        entries = connection.execute(statement, {"id": app.inner_id}).all()
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("key.created", made["id"]),
        ("key.revoked", made["id"]),
    ]
    assert not any(made["secret"] in entry.detail for entry in entries)


def _let_time_pass(doors: Doors, key_id: str) -> None:
    statement = text(
        "UPDATE api_key SET expires_at = expires_at - interval '601 seconds' WHERE public_id = :id"
    )
    with doors.services.engine.begin() as connection:
        connection.execute(statement, {"id": key_id})
