"""Overview: what is under way, what has ended, and what can be done about it."""

import pytest
from streamlit.testing.v1 import AppTest

from delivery.sandbox.tokens import fcm_token
from tests.console.pages import by_label, errors, press, shown
from tests.e2e.scene import Scene


def campaign(scene: Scene, title: str = "Points", **fields: object) -> str:
    body = {"to": {"all": True}, "lane": "campaign", "content": {"title": title}, **fields}
    return str(scene.post("/v1/messages", body)["id"])


def test_an_app_that_sent_nothing_says_so(console: AppTest) -> None:
    assert errors(console) == []
    assert "Nothing was delivered in this time." in shown(console.info)
    assert {"No message is under way.", "No message has ended yet."} <= set(shown(console.caption))


def test_what_ended_is_counted_and_charted(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_device(None, fcm_token("gone", 2))
    campaign(scene, "Points *for* you")
    scene.work("campaign")

    console.run()

    assert errors(console) == []
    assert "2 deliveries, by how they ended" in shown(console.caption)
    assert "It is finished: 1 of 2 were accepted." in shown(console.caption)
    assert len(console.get("vega_lite_chart")) == 1
    assert r"Points \*for\* you" in [link.proto.label for link in console.get("page_link")]


def test_a_message_is_paused_resumed_and_cancelled(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = campaign(scene)
    scene.duties.cut_due()

    seen = []
    console.run()
    for label, state in (("Pause", "paused"), ("Resume", "running"), ("Cancel", "cancelled")):
        press(console, label)
        seen.append((scene.read(message_id)["state"] == state, shown(console.toast)))

    assert errors(console) == []
    assert seen == [
        (True, ["Paused. 0 were accepted by then."]),
        (True, ["It goes on. 0 were accepted by then."]),
        (True, ["Cancelled. 0 were accepted by then."]),
    ]
    assert "It was cancelled: 0 of 1 were accepted." in shown(console.caption)


def test_a_message_under_way_gets_another_rate(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = campaign(scene, rate_per_second=5.0)
    scene.duties.cut_due()
    console.run()

    labels, limits, toasts = [], [], []
    for rate, label in ((70.5, "Set the rate"), (None, "Set the rate"), (None, "Lift the limit")):
        by_label(console.number_input, "At most so many a second").set_value(rate)
        press(console, label)
        limits.append(scene.read(message_id)["rate_per_second"])
        labels += [one.proto.popover.label for one in console.get("popover")][-1:]
        toasts += shown(console.toast)

    assert errors(console) == []
    assert limits == [70.5, 70.5, None]
    assert labels == ["Rate: 70.5 a second", "Rate: 70.5 a second", "Rate: no limit"]
    assert toasts == [
        "At most 70.5 a second from now on.", "Write how many a second.", "There is no limit now.",
    ]  # fmt: skip


def test_a_rate_that_comes_too_late_is_said_so(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = campaign(scene)
    scene.duties.cut_due()
    console.run()
    scene.http.post(f"/v1/messages/{message_id}/cancel").raise_for_status()

    by_label(console.number_input, "At most so many a second").set_value(3.0)
    press(console, "Set the rate")

    assert errors(console) == []
    assert "cancelled" in shown(console.toast)[0]


def test_a_progress_bar_says_how_far_it_is_and_what_waits(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_people({"external_id": "ada"})
    message_id = campaign(scene)
    scene.duties.cut_due()
    scene.http.post(f"/v1/messages/{message_id}/pause").raise_for_status()

    console.run()

    (bar,) = console.get("progress")
    assert bar.proto.text == "It is paused: 1 of 2 recipients have ended."
    assert bar.proto.value == 50
    assert any(
        "1 wait. The message is paused; resume it to go on." in text
        for text in shown(console.caption)
    )


def test_what_went_too_far_to_be_paused_is_said(scene: Scene, console: AppTest) -> None:
    scene.add_device(None, fcm_token("accepted", 1))
    message_id = campaign(scene)
    scene.duties.cut_due()
    console.run()
    scene.http.post(f"/v1/messages/{message_id}/cancel").raise_for_status()

    press(console, "Pause")

    assert errors(console) == []
    assert "cancelled" in shown(console.toast)[0]


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        (0, "/v1/apps/{app}/kill-switch"),
        (1, "/v1/apps/{app}/credentials/{credential}/kill-switch"),
        (-1, "/v1/kill-switch"),
    ],
)
def test_sending_is_stopped_and_goes_on(
    scene: Scene, console: AppTest, choice: int, path: str
) -> None:
    credentials = scene.http.get(f"/v1/apps/{scene.app_id}/credentials").json()["data"]
    place = path.format(app=scene.app_id, credential=credentials[0]["id"])
    levels = by_label(console.selectbox, "Stop sending of")
    levels.select(levels.options[choice]).run()

    press(console, "Stop sending")
    unreasoned = shown(console.toast), scene.http.get(place).json()["is_on"]
    by_label(console.text_input, "Why?").input("A *wrong* price.")
    press(console, "Stop sending")
    stopped = scene.http.get(place).json()
    banners = shown(console.warning)
    press(console, "Let it send again")

    assert errors(console) == []
    assert unreasoned == (["Write why, for those who find it stopped."], False)
    assert (stopped["is_on"], stopped["reason"]) == (True, "A *wrong* price.")
    assert len(banners) == (choice != 1)
    assert all("Sending is stopped for th" in words for words in banners)
    assert shown(console.toast) == ["It sends again."]
    assert not scene.http.get(place).json()["is_on"]
    assert shown(console.warning) == []
