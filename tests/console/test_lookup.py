"""Look up: why one person, or one device, got something or nothing."""

import pytest
from streamlit.testing.v1 import AppTest

from console.words import REASONS, STATES
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.console.pages import by_label, errors, go, shown
from tests.e2e.scene import Scene

LABELS = {
    "A person": "External id",
    "A device or token": "Device id or token",
    "A delivery": "Delivery id, apns-id or notification tag",
}


def look(console: AppTest, wanted: str, kind: str = "A person") -> AppTest:
    go(console, "lookup")
    by_label(console.radio, "Look for").set_value(kind).run()
    by_label(console.text_input, LABELS[kind]).set_value(wanted)
    return console.run()


def send(scene: Scene, to: dict[str, object], title: str = "Hello") -> None:
    scene.post("/v1/messages", {"to": to, "content": {"title": title}})
    scene.work()


def test_a_person_who_got_nothing_learns_why(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "team/ada", "attributes": {"first_name": "Ada"}})
    scene.add_device("team/ada", fcm_token("accepted", 1), permission="denied")
    send(scene, {"people": ["team/ada"]})

    look(console, " team/ada ")

    assert errors(console) == []
    assert shown(console.subheader)[:2] == ["team/ada", "Devices"]
    assert shown(console.text) == ["first_name: Ada"]
    assert "Notifications are switched off" in shown(console.warning)[0]
    assert shown(console.markdown)[-1] == f"The newest, **Hello**: {REASONS['no_permission']}"
    assert console.dataframe[0].value["Notifications"].tolist() == ["denied"]
    assert console.dataframe[1].value["Why"].tolist() == [REASONS["no_permission"]]


def test_the_last_one_that_did_not_arrive_is_named_too(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada"})
    send(scene, {"people": ["ada"]}, "First")
    scene.add_device("ada", fcm_token("accepted", 1))
    send(scene, {"people": ["ada"]}, "Second")

    look(console, "ada")

    assert shown(console.markdown)[-2:] == [
        f"The newest, **Second**: {STATES['accepted']}",
        f"Before that, the last that did not arrive, **First**: {REASONS['no_device']}",
    ]


def test_a_person_without_devices_and_messages_is_said_so(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada"})

    look(console, "ada")

    assert shown(console.warning) == ["There is no device, so nothing can be sent."]
    assert shown(console.info) == ["Nothing was sent here yet."]
    assert shown(console.text) == ["Nothing else is known."]


@pytest.mark.parametrize("by", ["token", "id"])
def test_a_device_is_found_by_its_token_and_its_id(scene: Scene, console: AppTest, by: str) -> None:
    token = fcm_token("gone", 1)
    device = scene.add_device(None, token, model="Pixel 10")
    send(scene, {"devices": [device]})

    look(console, token if by == "token" else device, "A device or token")

    assert errors(console) == []
    assert shown(console.subheader)[0] == "Pixel 10"
    assert f"{device} belongs to nobody: it is anonymous" in shown(console.caption)
    assert console.dataframe[0].value[["State", "Why"]].to_numpy().tolist() == [
        ["retired", REASONS["unregistered"]]
    ]
    assert console.dataframe[1].value["Why"].tolist() == [REASONS["unregistered"]]


@pytest.mark.parametrize(
    ("kind", "wanted", "word"),
    [
        ("A person", "nobody", "person"),
        ("A device or token", "dev_nothing", "device"),
        ("A device or token", "no-such-token", "device"),
        ("A delivery", "116b88f1-7300-87be-ab65-01aadf5ce39b", "delivery"),
    ],
)
def test_who_is_not_there_is_said_so(console: AppTest, kind: str, wanted: str, word: str) -> None:
    look(console, wanted, kind)

    assert errors(console) == []
    assert f"This app has no such {word}." in shown(console.warning)[0]


def test_the_id_that_a_phone_saw_shows_what_happened(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada"})
    scene.add_iphone("ada", apns_token("accepted", 1))
    send(scene, {"people": ["ada"]})
    ((_, apns_id),) = scene.sandbox.control.accepted()

    look(console, f" {apns_id} ", "A delivery")

    assert errors(console) == []
    assert shown(console.subheader) == ["What happened to Hello"]
    assert shown(console.markdown)[-1] == f"Accepted: {STATES['accepted']}".replace(
        "Accepted", "**Accepted**"
    )
    steps = console.dataframe[0].value
    assert steps["Step"].tolist() == [
        "Queued", "Planned", "Claimed", "Rendered", "Paced", "Sent", "Answered",
    ]  # fmt: skip
    assert apns_id in steps["Why"].tolist()[-1]
    assert "between them" in shown(console.caption)[-1]


def test_foreign_text_stays_text(scene: Scene, console: AppTest) -> None:
    nasty = "![x](http://127.0.0.1/y) <b>z</b>"
    scene.add_people({"external_id": nasty, "attributes": {"name": nasty}})

    look(console, nasty)

    assert shown(console.subheader)[0] == nasty
    assert "](" not in console.subheader[0].value
    assert shown(console.text) == [f"name: {nasty}"]


def test_other_names_and_changes_of_a_person_are_shown(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada", "attributes": {"plan": "free"}})
    scene.add_people({"external_id": "b*b", "attributes": {"size": "L"}})
    scene.add_people({"external_id": "ada", "attributes": {"plan": None}, "locale": "en"})
    merge = scene.post("/v1/merges", {"into": "ada", "from": "b*b"})

    look(console, "b*b")

    assert errors(console) == []
    assert shown(console.subheader)[0] == "ada"
    assert "Also called b*b" in shown(console.caption)
    changes = console.dataframe[-1].value
    assert changes[["What", "Before", "After"]].to_numpy().tolist() == [
        ["size", "(nothing)", "L"], ["plan", "free", "(nothing)"], ["locale", "(nothing)", "en"],
    ]  # fmt: skip
    assert changes["Why"].tolist() == [f"merge {merge['id']}", "written", "written"]


def test_what_a_person_agrees_to_and_did_is_shown(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada", "consents": {"push": False}})
    event = {
        "uuid": "3eb8fecb-e31d-4de0-8d8f-f928e92c2149",
        "name": "purchase",
        "person": "ada",
        "at": "2026-03-01T12:00:00Z",
        "properties": {"amount": 12.5},
    }
    scene.post("/v1/events", event)

    look(console, "ada")

    assert errors(console) == []
    words = "Push: no (said by api). Nothing is sent to this person."
    assert words in shown(console.warning)
    (table,) = [one.value for one in console.dataframe if "Event" in one.value]
    assert table["Event"].tolist() == ["purchase"]
    assert table["Properties"].tolist() == ["amount: 12.5"]
