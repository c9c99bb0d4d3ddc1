"""Token hygiene: exact counts by state and reason, zero for an app without devices."""

from typing import Any

from sqlalchemy import text

from tests.api.doors import AppDoors, Doors, problem

_ROWS = """
INSERT INTO device (app_id, public_id, installation_id, platform, last_seen_at, created_at)
SELECT :app_id, 'dev_h' || :app_id || '_' || n, 'inst_' || n, 'android', seen, created
FROM (VALUES (1, now() - interval '29 days', now() - interval '900 days'),
             (2, now() - interval '31 days', now() - interval '900 days'),
             (3, now() - interval '271 days', now() - interval '900 days'),
             (4, NULL, now() - interval '31 days'),
             (5, NULL, now())) AS d(n, seen, created);
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, environment, state,
                    state_reason)
SELECT :app_id, d.id, t.provider, t.kind, t.token, sha256(t.token::bytea), t.environment, t.state,
       t.reason
FROM (VALUES (1, 'fcm', 'token', 'a', NULL, 'active', NULL),
             (2, 'fcm', 'token', 'b', NULL, 'retired', 'unregistered'),
             (3, 'fcm', 'token', 'c', NULL, 'retired', 'unregistered'),
             (3, 'apns', 'alert', 'd', 'production', 'retired', 'bad_device_token'),
             (4, 'apns', 'alert', 'e', 'production', 'suspect', 'bad_device_token'),
             (5, 'apns', 'alert', 'f', 'development', 'suspect', 'bad_device_token'),
             (5, 'fcm', 'token', 'g', NULL, 'retired', 'never_heard_of'),
             (1, 'apns', 'voip', 'h', 'production', 'retired', NULL))
     AS t(n, provider, kind, token, environment, state, reason)
JOIN device d ON d.app_id = :app_id AND d.installation_id = 'inst_' || t.n
"""


def hygiene(app: AppDoors) -> dict[str, Any]:
    answer = app.client.get("/v1/devices/hygiene", headers=app.admin)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fill(doors: Doors, app: AppDoors) -> None:
    with doors.services.engine.begin() as connection:
        for statement in _ROWS.split(";\n"):
            connection.execute(text(statement), {"app_id": app.inner_id})


def test_an_app_without_devices_has_zero_of_everything(app: AppDoors) -> None:
    assert hygiene(app) == {
        "devices": 0,
        "tokens": {"active": 0, "suspect": 0, "retired": 0},
        "suspect": [],
        "dead": [],
        "stale": {"over_30_days": 0, "over_270_days": 0},
    }


def test_every_token_counts_once_and_only_those_of_the_app(doors: Doors, app: AppDoors) -> None:
    fill(doors, app)
    fill(doors, doors.new_app())

    found = hygiene(app)

    assert found["devices"] == 5
    assert found["tokens"] == {"active": 1, "suspect": 2, "retired": 5}
    assert [
        (one["reason"], one["provider"], one["environment"], one["tokens"]) for one in found["dead"]
    ] == [
        ("unregistered", "fcm", None, 2),
        ("bad_device_token", "apns", "production", 1),
        ("unknown", "apns", "production", 1),
        ("never_heard_of", "fcm", None, 1),
    ]
    assert [(one["environment"], one["tokens"]) for one in found["suspect"]] == [
        ("development", 1), ("production", 1)
    ]  # fmt: skip
    assert "Apple does not know this token here" in found["suspect"][0]["words"]
    assert all(one["words"] for one in (*found["dead"], *found["suspect"]))


def test_who_was_not_seen_for_long_is_stale(doors: Doors, app: AppDoors) -> None:
    fill(doors, app)

    assert hygiene(app)["stale"] == {"over_30_days": 3, "over_270_days": 1}


def test_it_is_no_device_and_needs_its_scope(doors: Doors, app: AppDoors) -> None:
    path, stats = "/v1/devices/hygiene", doors.new_key(app.inner_id, "server", ["stats:read"])

    problem(app.client.post(path, headers=app.admin), 405, "method_not_allowed")
    problem(app.client.get(f"{path}?person=ada", headers=app.admin), 422, "invalid_payload")
    problem(app.client.get(path, headers=app.server), 403, "forbidden_scope")
    problem(app.client.get(path, headers=app.phone), 403, "forbidden_scope")
    assert app.client.get(path, headers=stats).status_code == 200
