"""Kill switches at the doors: who may set which, what is written down, and who sees what."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.api.doors import AppDoors, Doors, problem
from tests.api.village import apns_key

WHY = {"reason": "A wrong price."}
OFF: dict[str, object] = {
    "is_on": False,
    "reason": None,
    "set_by": None,
    "set_at": None,
    "stopped_by": [],
}
GLOBAL = "/v1/kill-switch"


@pytest.fixture(autouse=True)
def operator(doors: Doors) -> Iterator[dict[str, str]]:
    """An operator's key; the installation, which all tests share, may send before and after."""
    key = doors.operator()
    doors.client.delete(GLOBAL, headers=key)
    yield key
    doors.client.delete(GLOBAL, headers=key)


def add_credential(app: AppDoors) -> str:
    path = f"{app.path}/credentials"
    answer = app.client.post(path, headers=app.admin, json=apns_key())
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['id']}/kill-switch"


def audited(doors: Doors, app_id: int | None) -> list[tuple[str, str, dict[str, str]]]:
    sql = text(
        "SELECT action, subject, detail FROM audit WHERE action LIKE 'kill%' "
        "AND app_id IS NOT DISTINCT FROM CAST(:app_id AS bigint) ORDER BY id"
    )
    with doors.services.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sql, {"app_id": app_id})]


@pytest.mark.parametrize("level", ["app", "credential"])
def test_a_switch_is_set_read_and_lifted(doors: Doors, app: AppDoors, level: str) -> None:
    path = f"{app.path}/kill-switch" if level == "app" else add_credential(app)
    before = doors.client.get(path, headers=app.admin).json()

    on = doors.client.put(path, headers=app.admin, json=WHY)
    seen = doors.client.get(path, headers=app.admin)
    off = doors.client.delete(path, headers=app.admin)

    assert before == OFF
    assert on.status_code == 200
    assert on.json() == seen.json()
    assert (on.json()["is_on"], on.json()["reason"]) == (True, "A wrong price.")
    assert on.json()["stopped_by"] == [level]
    assert on.json()["set_by"].startswith("key_")
    assert on.json()["set_at"]
    assert (off.status_code, off.content) == (204, b"")
    assert doors.client.get(path, headers=app.admin).json() == OFF
    detail = {"level": level, **WHY}
    subject = app.id if level == "app" else path.split("/")[-2]
    assert audited(doors, app.inner_id) == [
        ("kill_switch.set", subject, detail),
        ("kill_switch.lifted", subject, detail),
    ]


def test_setting_and_lifting_again_change_nothing(doors: Doors, app: AppDoors) -> None:
    path = f"{app.path}/kill-switch"
    first = doors.client.put(path, headers=app.admin, json=WHY).json()
    other = doors.new_key(app.inner_id, "server", ["admin"])

    same = doors.client.put(path, headers=other, json=WHY).json()
    anew = doors.client.put(path, headers=other, json={"reason": "Worse."}).json()
    lifted = [doors.client.delete(path, headers=app.admin).status_code for _ in range(2)]

    assert same == first
    assert (anew["reason"], anew["set_at"]) == ("Worse.", first["set_at"])
    assert anew["set_by"] != first["set_by"]
    assert lifted == [204, 204]
    assert [action for action, *_ in audited(doors, app.inner_id)] == [
        "kill_switch.set", "kill_switch.set", "kill_switch.lifted",
    ]  # fmt: skip


def test_the_installation_is_stopped_by_operators_and_everybody_sees_that_it_is(
    doors: Doors, app: AppDoors, operator: dict[str, str]
) -> None:
    path = add_credential(app)
    assert doors.client.get(GLOBAL, headers=operator).json() == OFF

    on = doors.client.put(GLOBAL, headers=operator, json=WHY).json()
    doors.client.put(path, headers=app.admin, json={"reason": "Ours."})
    seen = doors.client.get(path, headers=app.server).json()
    whole_app = doors.client.get(f"{app.path}/kill-switch", headers=app.server).json()

    assert (on["is_on"], on["stopped_by"]) == (True, ["installation"])
    assert (seen["reason"], seen["stopped_by"]) == ("Ours.", ["installation", "credential"])
    assert whole_app == {**OFF, "stopped_by": ["installation"]}
    assert doors.client.delete(GLOBAL, headers=operator).status_code == 204
    assert doors.client.get(path, headers=app.server).json()["stopped_by"] == ["credential"]
    assert audited(doors, None)[-2:] == [
        ("kill_switch.set", "installation", {"level": "installation", **WHY}),
        ("kill_switch.lifted", "installation", {"level": "installation", **WHY}),
    ]


# Each row a key, each column what it may do: read and change the installation's, an app's and
# a credential's switch.
_CELLS = {
    "operator": (200, 200, 200, 200, 200, 200),
    "admin": (403, 403, 200, 200, 200, 200),
    "admin scope": (403, 403, 200, 200, 200, 200),
    "messages:read": (403, 403, 200, 403, 200, 403),
    "messages:send": (403, 403, 403, 403, 403, 403),
    "stats:read": (403, 403, 403, 403, 403, 403),
    "client": (403, 403, 403, 403, 403, 403),
    "admin of another app": (403, 403, 404, 404, 404, 404),
    "nobody": (401, 401, 401, 401, 401, 401),
}


@pytest.mark.parametrize("who", _CELLS)
def test_each_key_may_do_what_its_row_says(
    doors: Doors, app: AppDoors, operator: dict[str, str], who: str
) -> None:
    headers = _key_of(doors, app, operator, who)
    paths = (GLOBAL, f"{app.path}/kill-switch", add_credential(app))

    found = tuple(
        answer.status_code
        for path in paths
        for answer in (
            doors.client.get(path, headers=headers),
            doors.client.put(path, headers=headers, json=WHY),
        )
    )
    lifted = [doors.client.delete(path, headers=headers).status_code for path in paths]

    assert found == _CELLS[who]
    assert lifted == [204 if status == 200 else status for status in found[1::2]]


def _key_of(doors: Doors, app: AppDoors, operator: dict[str, str], who: str) -> dict[str, str]:
    if ":" in who:
        return doors.new_key(app.inner_id, "server", [who])
    return {
        "operator": operator,
        "admin": app.admin,
        "admin scope": doors.new_key(app.inner_id, "server", ["admin"]),
        "client": app.phone,
        "admin of another app": doors.new_app().admin,
        "nobody": {},
    }[who]


def test_what_another_app_set_is_not_seen(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    theirs = add_credential(other)
    doors.client.put(f"{other.path}/kill-switch", headers=other.admin, json=WHY)
    doors.client.put(theirs, headers=other.admin, json=WHY)

    ours = doors.client.get(f"{app.path}/kill-switch", headers=app.admin).json()
    crossed = theirs.replace(other.path, app.path)

    assert ours == OFF
    problem(doors.client.get(crossed, headers=app.admin), 404, "not_found")
    problem(doors.client.put(crossed, headers=app.admin, json=WHY), 404, "not_found")
    problem(doors.client.delete(crossed, headers=app.admin), 404, "not_found")
    assert doors.client.get(theirs, headers=other.admin).json()["stopped_by"] == [
        "app", "credential",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "a\nb"}, {"reason": "x" * 501}])
def test_a_switch_without_a_reason_in_one_line_is_refused(
    doors: Doors, app: AppDoors, body: dict[str, str]
) -> None:
    path = f"{app.path}/kill-switch"

    problem(doors.client.put(path, headers=app.admin, json=body), 422, "invalid_payload")
    assert doors.client.get(path, headers=app.admin).json() == OFF


def test_a_switch_that_changed_meanwhile_is_left_alone(doors: Doors, app: AppDoors) -> None:
    path = f"{app.path}/kill-switch"
    seen = doors.client.get(path, headers=app.admin).headers["etag"]
    present = doors.client.put(path, headers=app.admin, json=WHY).headers["etag"]
    late = {**app.admin, "If-Match": seen}

    changed = doors.client.put(path, headers=late, json={"reason": "Other."})
    lifted = doors.client.delete(path, headers=late)
    same = doors.client.get(path, headers={**app.admin, "If-None-Match": present})

    problem(changed, 412, "precondition_failed")
    problem(lifted, 412, "precondition_failed")
    assert same.status_code == 304
    now = {**app.admin, "If-Match": present}
    assert doors.client.delete(path, headers=now).status_code == 204
