"""One message: its counts in words, its recipients in pages, and the list of all."""

from streamlit.testing.v1 import AppTest

from console.words import REASONS, STATES
from delivery.sandbox.tokens import fcm_token
from tests.console.pages import by_label, errors, go, press, shown
from tests.e2e.scene import Scene


def send(scene: Scene, **fields: object) -> str:
    body = {"to": {"all": True}, "content": {"title": "Hello {{ x | default('you') }}"}, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def test_an_ended_message_says_how_and_why(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    scene.add_device("ada", fcm_token("accepted", 1))
    message_id = send(scene)
    scene.work()

    go(console, "message", id=message_id)

    assert errors(console) == []
    assert shown(console.title) == ["Hello {{ x | default('you') }}"]
    assert {one.label: one.value for one in console.metric} == {
        "Targeted": "2", "Accepted": "1", "Not accepted": "1", "Open": "0",
        "Arrived": "none", "Opened": "none",
    }  # fmt: skip
    assert console.table[0].value["Recipients"].tolist() == [1, 1]
    assert console.table[0].value["Why"].tolist() == [STATES["accepted"], REASONS["no_device"]]
    assert console.dataframe[0].value["Person"].tolist() == ["bob", "ada"]
    assert not [button for button in console.button if button.label == "Pause"]


def test_recipients_are_filtered_by_how_they_ended(scene: Scene, console: AppTest) -> None:
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    scene.add_device("ada", fcm_token("accepted", 1))
    message_id = send(scene)
    scene.work()
    go(console, "message", id=message_id)

    by_label(console.selectbox, "Show those that ended").set_value("suppressed").run()
    suppressed = console.dataframe[0].value["Person"].tolist()
    by_label(console.selectbox, "Show those that ended").set_value("expired").run()

    assert suppressed == ["bob"]
    assert not console.dataframe
    assert "Nobody has ended like this yet." in shown(console.caption)


def test_recipients_come_in_pages_forward_and_back(scene: Scene, console: AppTest) -> None:
    scene.add_people(*({"external_id": f"person-{number:03}"} for number in range(60)))
    message_id = send(scene)
    scene.work()
    go(console, "message", id=message_id)

    first = console.dataframe[0].value["Person"].tolist()
    press(console, "Next")
    second = console.dataframe[0].value["Person"].tolist()
    press(console, "Back")

    assert (len(first), len(second), len({*first, *second})) == (50, 10, 60)
    assert console.dataframe[0].value["Person"].tolist() == first


def test_what_phones_report_is_counted(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = send(scene)
    scene.work()
    go(console, "message", id=message_id)
    before = [by_label(console.metric, name).value for name in ("Arrived", "Opened")]
    (found,) = scene.http.get("/v1/deliveries", params={"message": message_id}).json()["data"]
    scene.post("/v1/receipts", {"delivery_id": found["id"], "milestone": "confirmed"})

    go(console, "message", id=message_id)

    assert before == ["none", "none"]
    assert [by_label(console.metric, name).value for name in ("Arrived", "Opened")] == ["1", "none"]
    assert errors(console) == []


def test_a_message_for_later_is_not_counted_yet(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = send(scene, send_at="2099-01-01T00:00:00Z", is_test=True)

    go(console, "message", id=message_id)

    (bar,) = console.get("progress")
    assert bar.proto.text == (
        "It waits for its time, planned for 2099-01-01 00:00 UTC. Its recipients are counted then."
    )
    assert by_label(console.metric, "Targeted").value == "not known yet"
    assert shown(console.title)[0].endswith("(test)")


def test_a_message_that_is_not_there_is_said_so(console: AppTest) -> None:
    go(console, "message", id="msg_none")

    assert "There is no such message" in errors(console)[0]


def test_all_messages_are_listed_newest_first(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    older, newer = send(scene), send(scene)

    go(console, "message")

    assert errors(console) == []
    assert console.dataframe[0].value["Message"].tolist() == [newer, older]


def test_an_app_without_messages_says_so(console: AppTest) -> None:
    go(console, "message")

    assert shown(console.info) == ["No message has been sent yet."]
