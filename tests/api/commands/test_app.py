"""`./carillon app create`: the first key of an installation can do everything."""

import json

import pytest
from sqlalchemy import text

from api.cli import main
from api.commands.app import create_app
from tests.api.doors import bearer, open_doors, problem, settings_for


def test_the_first_key_of_an_installation_may_also_make_apps(
    fresh_database: str, redis_url: str
) -> None:
    settings = settings_for(fresh_database, redis_url)
    first = create_app(settings, "First")
    second = create_app(settings, "Second")
    third = create_app(settings, "Third", operator=True)

    assert [made["operator"] for made in (first, second, third)] == [True, False, True]
    with open_doors(settings) as doors:
        operator, bound = bearer(str(first["key"])), bearer(str(second["key"]))
        for path in ("/v1/people", "/v1/messages", f"/v1/apps/{first['app_id']}/keys"):
            assert doors.client.get(path, headers=operator).status_code == 200
        made = doors.client.post("/v1/apps", headers=operator, json={"name": "Fourth"})
        assert made.status_code == 201
        elsewhere = f"/v1/apps/{second['app_id']}"
        assert doors.client.get(elsewhere, headers=operator).status_code == 200
        assert doors.client.get(elsewhere, headers=bound).status_code == 200
        refused = doors.client.post("/v1/apps", headers=bound, json={"name": "x"})
        problem(refused, 403, "forbidden_scope")


def test_it_prints_the_key_once_for_people_and_as_json(
    fresh_database: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_for(fresh_database, redis_url)
    for name in ("database_url", "redis_url", "broker_url", "secret_keys"):
        value = getattr(settings, name).get_secret_value()
        monkeypatch.setenv(f"CARILLON_{name.upper()}", value)

    assert main(["app", "create", "Corner shop"]) == 0
    words = capsys.readouterr().out
    assert main(["app", "create", "Other shop", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)

    assert "ca_" in words
    assert "Corner shop" in words
    with open_doors(settings) as doors:
        answer = doors.client.get(f"/v1/apps/{made['app_id']}", headers=bearer(made["key"]))
        assert answer.json()["name"] == "Other shop"
        with doors.services.engine.connect() as connection:
            actions = connection.execute(text("SELECT action, actor FROM audit")).all()
    assert {tuple(row) for row in actions} == {("app.created", "command")}


@pytest.mark.parametrize("name", ["", "x" * 201, "two\nlines"])
def test_a_bad_name_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "create", name]) == 2
    assert "printable" in capsys.readouterr().err
