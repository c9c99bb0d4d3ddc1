"""Apps: what the gateways know the app by, its keys, and a test send."""

import base64
import json

import pytest
from streamlit.testing.v1 import AppTest

from delivery.sandbox.credentials import make_apns_key, make_service_account
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.console.pages import by_label, errors, go, press, shown
from tests.e2e.scene import Scene


@pytest.fixture
def page(console: AppTest) -> AppTest:
    go(console, "apps")
    assert errors(console) == []
    return console


def upload(page: AppTest, label: str, name: str, content: bytes) -> None:
    kind = "application/octet-stream"
    by_label(page.file_uploader, label).set_value((name, content, kind))


def names(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value["Name"])


def names_of_keys(page: AppTest) -> list[str]:
    return list(page.dataframe[1].value["Name"])


def test_the_app_shows_its_credentials_and_keys(page: AppTest) -> None:
    assert errors(page) == []
    assert page.dataframe[0].value[["Gateway", "State"]].to_numpy().tolist() == [
        ["FCM", "active"], ["APNS", "active"],
    ]  # fmt: skip
    assert page.dataframe[1].value["Kind"].tolist() == ["admin"]


def test_a_service_account_is_added_from_its_file(scene: Scene, page: AppTest) -> None:
    account = make_service_account("another-shop", scene.sandbox.address.token_uri)
    upload(page, "Service account (JSON)", "key.json", json.dumps(account).encode())

    press(page, "Add")

    assert errors(page) == []
    assert "another-shop" in list(page.dataframe[0].value["For"])
    assert shown(page.toast) == ["FCM knows the app now."]


def test_a_signing_key_is_added_with_its_facts(page: AppTest) -> None:
    key = make_apns_key()
    by_label(page.radio, "Kind").set_value("APNs signing key").run()
    upload(page, "Signing key (.p8)", "key.p8", key.p8.encode())
    by_label(page.text_input, "Name").input("Second key")
    by_label(page.text_input, "Key id").input(key.key_id)
    by_label(page.text_input, "Team id").input(key.team_id)
    by_label(page.text_input, "Bundle id").input("com.example.other")

    press(page, "Add")

    assert errors(page) == []
    assert "Second key" in names(page)


def test_a_credential_that_can_not_be_used_is_pointed_at(page: AppTest) -> None:
    by_label(page.radio, "Kind").set_value("APNs certificate").run()
    upload(page, "Certificate (.p12)", "cert.p12", base64.b64encode(b"nothing"))

    press(page, "Add")

    assert "/p12" in errors(page)[0]


def test_no_file_and_another_file_are_said_so(page: AppTest) -> None:
    press(page, "Add")
    without = errors(page)
    upload(page, "Service account (JSON)", "key.json", b"[]")

    press(page, "Add")

    assert without == ["Choose the file first."]
    assert "The file is no service account." in errors(page)[0]


def test_a_paused_credential_says_why_and_is_resumed(scene: Scene, page: AppTest) -> None:
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'invalid_provider_token', "
        "reason_text = 'Apple refuses the signing key.' WHERE provider = 'apns'"
    )
    page.run()
    words = shown(page.warning)[0]

    press(page, next(one.label for one in page.button if one.label.startswith("Resume")))

    assert "Apple refuses the signing key. Mend it, then resume." in words
    assert errors(page) == []
    assert shown(page.toast) == ["It is used again."]
    assert not [words for words in shown(page.warning) if "is paused" in words]
    assert scene.scalar("SELECT count(*) FROM credential WHERE state = 'active'") == 2


@pytest.mark.parametrize(
    ("kind", "start"),
    [("server", "ck_live_"), ("client", "cc_")],
)
def test_the_secret_of_a_new_key_is_shown_once(page: AppTest, kind: str, start: str) -> None:
    by_label(page.radio, "For").set_value(kind).run()
    by_label(page.text_input, "Name of the key").input("Shop backend")

    press(page, "Make the key")
    secret = page.code[-1].value
    again = press(page, "Make the key").code[-1].value
    page.run()

    assert errors(page) == []
    assert secret.startswith(start)
    assert again == secret
    assert secret not in [code.value for code in page.code]
    assert page.dataframe[1].value["Name"].tolist()[-1] == "Shop backend"


def test_a_key_is_rotated_and_its_successor_shown_once(scene: Scene, page: AppTest) -> None:
    press(page, "Rotate this key")
    secret = page.code[-1].value
    own = shown(page.warning)
    page.run()

    assert errors(page) == []
    assert secret.startswith("ca_")
    assert own[0] == "You are signed in with this key: sign in again with its successor."
    assert secret not in [code.value for code in page.code]
    assert names_of_keys(page) == ["Made by ./carillon"] * 2
    assert page.dataframe[1].value["Ends"].notna().tolist() == [True, False]
    used = scene.http.get("/v1/apps", headers={"Authorization": f"Bearer {secret}"})
    assert used.status_code == 200


def test_a_key_is_revoked(scene: Scene, page: AppTest) -> None:
    body = {"kind": "server", "name": "Shop", "scopes": ["messages:send"]}
    made = scene.post(f"/v1/apps/{scene.app_id}/keys", body)
    by_label(page.run().selectbox, "Change a key").set_value(made["id"]).run()
    assert not page.warning

    press(page, "Revoke this key")

    assert errors(page) == []
    assert shown(page.toast) == ["The key is dead."]
    assert "Shop" not in names_of_keys(page)


def test_a_credential_is_retired(scene: Scene, page: AppTest) -> None:
    options = by_label(page.selectbox, "Retire a credential").options

    press(page, "Retire this credential")

    assert errors(page) == []
    assert options == ["carillon-test (FCM)", "com.example.carillon (APNS)"]
    assert shown(page.toast) == ["It is retired."]
    assert names(page) == ["com.example.carillon"]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Rotate this key", "There is no such"),
        ("Revoke this key", "There is no such"),
        ("Retire this credential", "The credential is retired."),
    ],
)
def test_what_another_person_ended_before_is_said_so(
    scene: Scene, page: AppTest, label: str, words: str
) -> None:
    made = scene.post(
        f"/v1/apps/{scene.app_id}/keys", {"kind": "server", "name": "S", "scopes": ["stats:read"]}
    )
    by_label(page.run().selectbox, "Change a key").set_value(made["id"]).run()
    scene.http.delete(f"/v1/apps/{scene.app_id}/keys/{made['id']}")
    for one in scene.http.get(f"/v1/apps/{scene.app_id}/credentials").json()["data"]:
        scene.http.delete(f"/v1/apps/{scene.app_id}/credentials/{one['id']}")

    press(page, label)

    assert errors(page) == []
    assert words in shown(page.toast)[0]


def test_a_key_without_a_name_is_not_made(page: AppTest) -> None:
    press(page, "Make the key")

    assert errors(page) == ["Give the key a name, so that you know it again."]


@pytest.mark.parametrize(
    ("kind", "label"),
    [("A person", "External id"), ("A device", "Device id"), ("A token", "Token")],
)
def test_a_test_send_tells_how_it_ended(scene: Scene, page: AppTest, kind: str, label: str) -> None:
    scene.add_people({"external_id": "ada"})
    device = scene.add_device("ada", fcm_token("accepted", 1))
    whom = {"A person": "ada", "A device": device, "A token": apns_token("accepted", 2)}[kind]
    by_label(page.radio, "Test with").set_value(kind).run()
    by_label(page.text_input, label).input(whom)

    press(press(page, "Send the test"), "Send the test")
    scene.work()
    page.run()

    assert errors(page) == []
    (bar,) = page.get("progress")
    assert bar.proto.text == "It is finished: 1 of 1 recipients have ended."
    assert page.dataframe[-1].value["Outcome"].tolist() == ["accepted"]
    assert [one["is_test"] for one in scene.http.get("/v1/messages").json()["data"]] == [True]


def test_a_test_needs_somebody_who_is_there(page: AppTest) -> None:
    press(page, "Send the test")
    nobody = errors(page)
    by_label(page.text_input, "External id").input("nobody")

    press(page, "Send the test")

    assert nobody == ["Name who shall get it."]
    assert "'nobody'" in errors(page)[0]


def credential_id(scene: Scene) -> str:
    found = scene.scalar("SELECT public_id FROM credential WHERE provider = 'apns'")
    return str(found)


def test_a_credential_that_is_still_refused_stays_paused_unless_it_is_forced(
    scene: Scene, page: AppTest
) -> None:
    scene.sandbox.control.revoke(scene.sandbox.key.key_id)
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'x', reason_text = 'No.', "
        "paused_at = now(), probe_at = now() WHERE provider = 'apns'"
    )

    press(page.run(), "Resume com.example.carillon")
    refused, words = shown(page.toast), shown(page.warning)
    press(page, "Resume without asking the gateway")
    scene.sandbox.control.register_apns_key(scene.sandbox.key, "com.example.carillon")

    assert errors(page) == []
    assert "Apple refuses the signing key" in refused[0]
    assert "It is tried again by itself." in words[0]
    assert scene.scalar("SELECT count(*) FROM credential WHERE state = 'active'") == 2
    choice = by_label(page.selectbox, "Retire a credential")
    choice.set_value(credential_id(scene)).run()
    assert page.dataframe[1].value["What"].tolist() == ["resumed"]


def test_whoever_trusts_the_gateway_ends_a_pause_of_the_guard(scene: Scene, page: AppTest) -> None:
    scene.run_sql(
        "UPDATE credential SET state = 'paused', reason = 'fleet_guard', reason_text = 'Nearly.', "
        "paused_at = now() WHERE provider = 'apns'"
    )

    press(page.run(), "The tokens are wrong: trust the gateway")

    assert errors(page) == []
    assert scene.scalar(
        "SELECT guard_rests_until > now() + interval '23 hours' FROM credential "
        "WHERE provider = 'apns'"
    )


def test_platforms_on_hold_are_said_so_and_let_go(scene: Scene, page: AppTest) -> None:
    scene.run_sql(
        "UPDATE credential SET held_platforms = ARRAY['ios', 'web'], hold_text = 'Mend the key.', "
        "hold_reason = 'x', held_until = now() + interval '1 hour' WHERE provider = 'fcm'"
    )

    words = shown(page.run().warning)
    press(page, next(one.label for one in page.button if one.label.startswith("Let those")))

    assert errors(page) == []
    assert "devices on ios and web wait. Mend the key." in words[0]
    assert scene.scalar("SELECT count(*) FROM credential WHERE held_platforms IS NOT NULL") == 0


def test_the_tokens_of_the_app_are_counted_when_asked_for(scene: Scene, page: AppTest) -> None:
    empty = [one.value for one in press(page, "Count the tokens").metric]
    scene.add_device(None, fcm_token("accepted", 1))
    scene.add_device(None, fcm_token("accepted", 2))
    scene.run_sql(
        "UPDATE target SET state = 'retired', state_reason = 'unregistered' "
        "WHERE id = (SELECT min(id) FROM target)"
    )

    press(page, "Count the tokens")

    assert errors(page) == []
    assert empty == ["0", "0", "0"]
    assert [one.value for one in page.metric] == ["1", "0", "1"]
    table = next(one.value for one in page.dataframe if "Tokens" in one.value)
    assert table[["State", "Tokens", "Gateway"]].to_numpy().tolist() == [["dead", 1, "FCM"]]
