"""Apps: made by operators, read by their own keys."""

from tests.api.doors import Doors, bearer, pointers, problem


def test_an_operator_makes_an_app_and_its_identity_secret_is_shown_once(doors: Doors) -> None:
    operator = doors.operator()

    made = doors.client.post("/v1/apps", headers=operator, json={"name": "Corner shop"})

    assert made.status_code == 201
    app = made.json()
    read = doors.client.get(f"/v1/apps/{app['id']}", headers=operator)
    assert read.json() == {name: value for name, value in app.items() if name != "identity_secret"}
    assert app["identity_secret"].startswith("is_")


def test_an_operator_makes_the_first_key_of_a_new_app(doors: Doors) -> None:
    operator = doors.operator()
    app = doors.client.post("/v1/apps", headers=operator, json={"name": "Corner shop"}).json()

    key = doors.client.post(
        f"/v1/apps/{app['id']}/keys",
        headers=operator,
        json={"kind": "server", "name": "x", "scopes": ["people:read"]},
    ).json()

    assert doors.client.get("/v1/people", headers=bearer(key["secret"])).json()["data"] == []


def test_an_operator_sees_all_apps_and_a_bound_key_its_own(doors: Doors) -> None:
    one, other = doors.new_app("One"), doors.new_app("Other")

    own = doors.client.get("/v1/apps", headers=one.admin).json()
    assert [app["id"] for app in own["data"]] == [one.id]
    seen: list[str] = []
    operator = doors.operator()
    cursor: str | None = ""
    while cursor is not None:
        # Other tests have made apps here, too: more than fit on a page, perhaps.
        path = f"/v1/apps?limit=200{cursor and f'&cursor={cursor}'}"
        page = doors.client.get(path, headers=operator).json()
        seen += [app["id"] for app in page["data"]]
        cursor = page["next_cursor"]
    assert {one.id, other.id} <= set(seen)


def test_a_server_key_without_admin_reads_no_app(doors: Doors) -> None:
    app = doors.new_app()

    problem(doors.client.get(app.path, headers=app.server), 403, "forbidden_scope")


def test_an_app_changes_its_name_and_an_operator_its_weight(doors: Doors) -> None:
    operator = doors.operator()
    app = doors.client.post("/v1/apps", headers=operator, json={"name": "Shop"}).json()

    changed = doors.client.patch(
        f"/v1/apps/{app['id']}", headers=operator, json={"name": "Store", "weight": 5}
    )

    assert changed.status_code == 200
    assert changed.json() | {"name": "Store", "weight": 5} == changed.json()
    read = doors.client.get(f"/v1/apps/{app['id']}", headers=operator)
    assert read.json() == changed.json()


def test_an_app_can_not_give_itself_more_weight_nor_change_another(doors: Doors) -> None:
    app, other = doors.new_app(), doors.new_app()

    refused = doors.client.patch(app.path, headers=app.admin, json={"weight": 100})
    foreign = doors.client.patch(other.path, headers=app.admin, json={"name": "Mine"})
    wrong = doors.client.patch(app.path, headers=doors.operator(), json={"weight": 0})
    null = doors.client.patch(app.path, headers=app.admin, json={"name": None})

    problem(refused, 403, "forbidden_scope")
    assert foreign.status_code in {403, 404}
    assert set(pointers(wrong.json())) == {"/weight"}
    assert null.status_code == 422
    assert doors.client.get(app.path, headers=app.admin).json()["weight"] == 1
