"""What people say between the cut of the audience and the send holds: nothing is sent to them."""

from collections.abc import Callable
from typing import Any

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene

PEOPLE = ("ada", "bob", "cyd")
# What is equal for all, and what is not, are prepared in different ways.
CONTENTS = ({"title": "Hello"}, {"title": "Hello {{ first_name }}"})


def cut(scene: Scene, content: dict[str, Any], *, people: int = 3) -> str:
    """Send to people with a device each; nobody works on it yet."""
    names = PEOPLE[:people]
    scene.add_people(*({"external_id": name, "attributes": {"first_name": name}} for name in names))
    for number, name in enumerate(names):
        scene.add_device(name, fcm_token("accepted", number))
    sent = scene.post("/v1/messages", {"to": {"people": list(names)}, "content": content})
    assert sent["open"] == people
    return str(sent["id"])


def say(scene: Scene, person: str, *, push: bool) -> None:
    scene.add_people({"external_id": person, "consents": {"push": push}})


def suppress(scene: Scene, *people: str) -> None:
    scene.post("/v1/suppressions", {"people": list(people)})


def merge(scene: Scene, into: str, other: str) -> None:
    scene.post("/v1/merges", {"into": into, "from": other})


def sent(scene: Scene) -> list[int]:
    """Return the numbers of the devices that a push has reached."""
    tokens = [fcm_token("accepted", number) for number in range(len(PEOPLE))]
    return sorted(tokens.index(token) for token, _ in scene.sandbox.control.accepted())


def reasons(scene: Scene, message: str) -> dict[str, Any]:
    found: dict[str, Any] = scene.assert_adds_up(message)["reasons"]
    return found


@pytest.mark.parametrize("content", CONTENTS)
def test_who_refuses_meanwhile_gets_nothing_and_the_others_do(
    scene: Scene, content: dict[str, Any]
) -> None:
    message = cut(scene, content)
    say(scene, "bob", push=False)

    scene.work()

    assert sent(scene) == [0, 2]
    assert reasons(scene, message) == {"suppressed": {"no_consent": 1}}
    listed = scene.http.get(f"/v1/messages/{message}/deliveries").json()["data"]
    ends = {one["person"]: (one["state"], one["reason"]) for one in listed}
    assert ends["bob"] == ("suppressed", "no_consent")
    assert ends["ada"][0] == ends["cyd"][0] == "accepted"


@pytest.mark.parametrize("content", CONTENTS)
def test_who_comes_onto_the_list_meanwhile_gets_nothing(
    scene: Scene, content: dict[str, Any]
) -> None:
    message = cut(scene, content)
    suppress(scene, "cyd", "nobody")

    scene.work()

    assert sent(scene) == [0, 1]
    assert reasons(scene, message) == {"suppressed": {"suppression_list": 1}}


def test_an_alias_on_the_list_keeps_its_person_back(scene: Scene) -> None:
    message = cut(scene, CONTENTS[0])
    scene.post("/v1/aliases", {"person": "bob", "alias": "bobby"})
    suppress(scene, "bobby")

    scene.work()

    assert sent(scene) == [0, 2]
    assert reasons(scene, message) == {"suppressed": {"suppression_list": 1}}


def test_a_refusal_comes_before_the_list(scene: Scene) -> None:
    message = cut(scene, CONTENTS[0], people=1)
    suppress(scene, "ada")
    say(scene, "ada", push=False)

    scene.work()

    assert reasons(scene, message) == {"suppressed": {"no_consent": 1}}


def test_who_says_yes_again_in_time_gets_it(scene: Scene) -> None:
    message = cut(scene, CONTENTS[0])
    say(scene, "bob", push=False)
    say(scene, "bob", push=True)
    suppress(scene, "cyd")
    scene.http.delete("/v1/suppressions/cyd").raise_for_status()

    scene.work()

    assert sent(scene) == [0, 1, 2]
    assert reasons(scene, message) == {}


def test_a_new_default_holds_for_those_who_said_nothing(scene: Scene) -> None:
    message = cut(scene, CONTENTS[0])
    say(scene, "bob", push=True)
    scene.run_sql("UPDATE app SET push_by_default = false")

    scene.work()

    assert sent(scene) == [1]
    assert reasons(scene, message) == {"suppressed": {"no_consent": 2}}


def refuse(scene: Scene, person: str) -> None:
    say(scene, person, push=False)


@pytest.mark.parametrize(
    ("stop", "reason"), [(refuse, "no_consent"), (suppress, "suppression_list")]
)
def test_what_the_other_one_said_holds_after_a_merge(
    scene: Scene, stop: Callable[[Scene, str], None], reason: str
) -> None:
    message = cut(scene, CONTENTS[1], people=1)
    scene.add_people({"external_id": "bob", "attributes": {"first_name": "bob"}})
    stop(scene, "bob")
    merge(scene, "bob", "ada")

    scene.work()

    assert sent(scene) == []
    assert reasons(scene, message) == {"suppressed": {reason: 1}}


def test_a_second_attempt_asks_again(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_device("ada", fcm_token("throttled_once", 1))
    body = {"to": {"people": ["ada"]}, "content": CONTENTS[0]}
    message = str(scene.post("/v1/messages", body)["id"])
    scene.work()
    assert scene.assert_adds_up(message)["open"] == 1
    say(scene, "ada", push=False)

    scene.work_until(lambda: scene.read(message)["open"] == 0)

    assert reasons(scene, message) == {"suppressed": {"no_consent": 1}}


def test_what_others_refuse_in_their_app_is_no_matter(scene: Scene) -> None:
    message = cut(scene, CONTENTS[0])
    scene.run_sql(
        "INSERT INTO app (public_id, name, identity_secret, push_by_default) "
        "VALUES ('app_other', 'Other', '', false)"
    )
    scene.run_sql(
        "INSERT INTO suppression (app_id, external_id, source) "
        "SELECT a.id, 'ada', 'test' FROM app a WHERE a.public_id = 'app_other'"
    )
    scene.run_sql(
        "INSERT INTO consent (app_id, person_id, kind, granted, source) "
        "SELECT a.id, p.id, 'push', false, 'test' FROM app a, person p "
        "WHERE a.public_id = 'app_other'"
    )

    scene.work()

    assert sent(scene) == [0, 1, 2]
    assert reasons(scene, message) == {}


def test_a_device_of_nobody_is_not_asked(scene: Scene) -> None:
    scene.run_sql("UPDATE app SET push_by_default = false")
    scene.add_device(None, fcm_token("accepted", 0))
    sent_to_all = scene.post("/v1/messages", {"to": {"all": True}, "content": CONTENTS[0]})

    scene.work()

    assert sent(scene) == [0]
    assert reasons(scene, sent_to_all["id"]) == {}
