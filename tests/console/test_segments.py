"""Segments: a rule is built, counted as it changes, stored, and written to."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.console.pages import by_label, errors, go, press, shown
from tests.e2e.scene import Scene

_PLANS = {"ada": "gold", "bob": "gold", "cy": "free"}


@pytest.fixture
def page(scene: Scene, console: AppTest) -> AppTest:
    """Segments, in an app of three people; one of two with gold can be reached."""
    for name, plan in _PLANS.items():
        scene.add_people({"external_id": name, "attributes": {"plan": plan, "points": len(name)}})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_iphone("bob", apns_token("accepted", 2), permission="denied")
    scene.duties.roll_up()
    scene.duties.profile_attributes()
    go(console, "segments")
    assert errors(console) == []
    return console


def choose(page: AppTest, label: str, value: Any) -> AppTest:
    by_label(page.selectbox, label).set_value(value)
    return page.run()


def gold(page: AppTest) -> AppTest:
    choose(page, "Add to the rule", "attribute")
    choose(page, "Attribute of 1", "plan")
    return choose(page, "Value of 1", "gold")


def take(page: AppTest, rule: str) -> AppTest:
    by_label(page.text_area, "Another rule, to take its place").input(rule)
    page.run()
    return press(page, "Take it")


def stored(scene: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.http.get("/v1/segments").json()["data"]
    return found


def metrics(page: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in page.metric}


def test_what_is_chosen_is_counted_at_once(page: AppTest) -> None:
    before = metrics(page)

    gold(page)

    assert errors(page) == []
    assert before == {"People": "3", "Can be reached": "1"}
    assert metrics(page) == {"People": "2", "Can be reached": "1"}
    (table,) = [one.value for one in page.dataframe]
    assert list(table["People"]) == [2, 2, 2, 1, 1]
    assert list(table["Lost"]) == [0, 0, 0, 1, 0]
    assert "Android 1 people, 1 devices" in shown(page.caption)[-1]


def test_groups_lie_inside_of_groups_and_can_be_taken_out(page: AppTest) -> None:
    gold(page)
    choose(page, "Add to the rule", "any")
    choose(page, "Group 2", "none")
    choose(page, "Add to 2", "person")
    choose(page, "Field of 2.1", "external_id")
    choose(page, "Operator of 2.1", "in")
    by_label(page.multiselect, "Values of 2.1").set_value(["ada"])
    page.run()

    without_ada = metrics(page)["People"]
    press(page, "Remove 2.1")

    assert errors(page) == []
    assert without_ada == "1"
    assert metrics(page)["People"] == "2"
    assert not [one for one in page.selectbox if one.label == "Field of 2.1"]


def test_a_segment_is_stored_changed_and_deleted(scene: Scene, page: AppTest) -> None:
    by_label(gold(page).text_input, "Name").input("Gold")
    page.run()

    press(page, "Store")
    (made,) = stored(scene)
    choose(page, "Value of 1", "free")
    press(page, "Store the change")
    (changed,) = stored(scene)
    press(page, "Delete this segment")

    assert errors(page) == []
    rule = {"type": "attribute", "name": "plan", "operator": "equals", "value": "gold"}
    assert (made["name"], made["rule"]) == ("Gold", {"type": "all", "of": [rule]})
    assert (changed["version"], changed["rule"]["of"][0]["value"]) == (2, "free")
    assert stored(scene) == []


def test_a_change_of_somebody_else_is_not_lost(scene: Scene, page: AppTest) -> None:
    by_label(gold(page).text_input, "Name").input("Gold")
    page.run()
    press(page, "Store")
    (made,) = stored(scene)
    theirs = {"name": "Theirs", "rule": {"type": "any", "of": []}}
    scene.http.put(f"/v1/segments/{made['id']}", json=theirs).raise_for_status()

    by_label(page.text_input, "Name").input("Mine")
    page.run()
    press(page, "Store the change")

    words = "Somebody changed this segment meanwhile. Open it again, and change that."
    assert errors(page) == [words]
    assert stored(scene)[0]["name"] == "Theirs"


def test_what_is_wrong_is_said_with_its_place(page: AppTest) -> None:
    choose(page, "Add to the rule", "attribute")
    choose(page, "Attribute of 1", "points")
    choose(page, "Operator of 1", "before")
    by_label(page.text_input, "Value of 1").input("soon")
    page.run()

    assert errors(page) == []
    assert "The rule is not finished." in shown(page.warning)
    assert any("1 value:" in words for words in shown(page.markdown))
    assert metrics(page) == {}


def test_an_attribute_that_nobody_has_is_a_warning(page: AppTest) -> None:
    take(page, '{"type": "attribute", "name": "nothing", "operator": "exists"}')

    assert errors(page) == []
    assert metrics(page)["People"] == "0"
    assert any("1" in words and "nothing" in words for words in shown(page.info))


def test_a_rule_in_json_takes_its_place_and_all_of_it_is_kept(page: AppTest) -> None:
    rule = (
        '{"type": "any", "of": [{"type": "bucket", "salt": "s", "from": 0, "to": 9999}, '
        '{"type": "event", "name": "purchase", "window": {"last": "30 days"}}]}'
    )
    take(page, rule)

    assert errors(page) == []
    assert metrics(page)["People"] == "3"
    assert by_label(page.number_input, "Length of 2").value == 30
    assert '"salt": "s"' in by_label(page.text_area, "JSON of 1").value


def test_what_is_no_json_is_said(page: AppTest) -> None:
    take(page, "[1]")

    assert errors(page) == ["A rule is an object in JSON."]


def test_what_is_no_condition_is_pointed_at_and_can_be_mended(page: AppTest) -> None:
    nodes = (
        '{"type": "condition"}, {"type": "event", "name": 5}, '
        '{"type": "attribute", "name": "points", "operator": "equals", "value": 9007199254740993}'
    )
    take(page, f'{{"type": "all", "of": [{nodes}]}}')

    assert errors(page) == []
    assert "The rule is not finished." in shown(page.warning)
    assert by_label(page.text_area, "JSON of 1").value
    assert "9007199254740993" in by_label(page.text_area, "JSON of 3").value
    for number in (3, 2, 1):
        press(page, f"Remove {number}")
    assert metrics(page)["People"] == "3"


def test_it_says_of_one_person_why(page: AppTest) -> None:
    gold(page)

    by_label(page.text_input, "External id of the person").input("cy")
    page.run()

    assert errors(page) == []
    assert any("cy is not in it." in words for words in shown(page.markdown))
    assert any("✗" in words and "plan" in words for words in shown(page.markdown))


def test_some_of_them_are_shown(page: AppTest) -> None:
    gold(page)

    by_label(page.toggle, "Show people").set_value(True)
    page.run()

    assert errors(page) == []
    assert sorted(page.dataframe[-1].value["Person"]) == ["ada", "bob"]


def test_a_segment_is_the_audience_of_a_message(scene: Scene, page: AppTest) -> None:
    by_label(gold(page).text_input, "Name").input("Gold")
    page.run()
    press(page, "Store")
    (made,) = stored(scene)

    go(page, "compose", segment=made["id"])
    by_label(page.text_input, "Title").input("Hello")
    page.run()
    press(page, "Review")
    words = shown(page.warning)[0]
    press(page, "Send to 2 recipients")

    assert errors(page) == []
    assert "This goes to the segment now: 2 recipients." in words
    (message,) = scene.http.get("/v1/messages").json()["data"]
    scene.duties.cut_due()
    assert scene.read(message["id"])["targeted"] == 2


def test_who_is_in_another_segment_is_left_out(scene: Scene, page: AppTest) -> None:
    by_label(gold(page).text_input, "Name").input("Gold")
    page.run()
    press(page, "Store")
    (made,) = stored(scene)

    go(page, "compose")
    by_label(page.radio, "Send to").set_value("Everybody")
    page.run()
    choose(page, "But not to those in", made["id"])
    by_label(page.text_input, "Title").input("Hello")
    page.run()
    press(page, "Review")

    assert errors(page) == []
    assert "This goes to everybody but those left out now: 1 recipients." in shown(page.warning)[0]


def test_an_event_is_counted_with_its_conditions(scene: Scene, console: AppTest) -> None:
    for number, amount in enumerate((5, 50)):
        event = {
            "uuid": f"3eb8fecb-e31d-4de0-8d8f-f928e92c214{number}",
            "name": "purchase",
            "person": f"person-{number}",
            "at": "2026-03-01T12:00:00Z",
            "properties": {"amount": amount},
        }
        scene.post("/v1/events", event)
    page = go(console, "segments")
    choose(page, "Add to the rule", "event")
    choose(page, "Event of 1", "purchase")
    both = metrics(page)["People"]
    press(page, "Add a condition to 1")
    by_label(page.text_input, "Property of 1 (1)").input("amount")
    page.run()
    choose(page, "Operator of 1 (1)", ">")
    by_label(page.number_input, "Value of 1 (1)").set_value(10)
    page.run()

    assert errors(page) == []
    assert (both, metrics(page)["People"]) == ("2", "1")
    choose(page, "When of 1", "in the last")
    assert metrics(page)["People"] == "0"


def test_a_segment_is_watched_and_no_longer(scene: Scene, page: AppTest) -> None:
    by_label(gold(page).text_input, "Name").input("Gold")
    page.run()
    press(page, "Store")
    (made,) = stored(scene)
    watch = f"/v1/segments/{made['id']}/watch"

    by_label(page.toggle, "Tell who enters and leaves").set_value(True)
    page.run()
    is_watched = scene.http.get(watch).json()["watched"]
    by_label(page.toggle, "Tell who enters and leaves").set_value(False)
    page.run()

    assert errors(page) == []
    assert is_watched
    assert not scene.http.get(watch).json()["watched"]
