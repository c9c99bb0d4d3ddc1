"""Limits of the payload and rules of the headers: behaviours 44 to 46."""

import gzip
import zlib
from dataclasses import replace
from typing import Any

import pytest

from core.clock import utc_now
from delivery.outcome import Accepted, Rejected
from delivery.providers.apns_outcome import classify
from delivery.push import Encoded, Notification, Unsendable
from tests.delivery.providers.senders import Sender
from tests.http2.behaviours.driving import TOPIC
from tests.http2.behaviours.gateways import ALERT, Gateways


def sized(sender: Sender, token: str, size: int, kind: str, letter: str) -> Encoded | Unsendable:
    """Encode a push whose body has exactly `size` bytes."""
    width = len(letter.encode())

    def encode(letters: int, rest: int) -> Encoded | Unsendable:
        notification = Notification(title="T", data={"k": letter * letters + "a" * rest})
        push = sender.encode(token, kind=kind).push
        return sender.provider.encode(replace(push, notification=notification))

    empty = encode(0, 0)
    assert isinstance(empty, Encoded)
    return encode(*divmod(size - len(empty.body), width))


@pytest.mark.parametrize("letter", ["a", "é", "🎉"])
@pytest.mark.parametrize(("kind", "limit"), [("alert", 4_096), ("voip", 5_120)])
def test_apns_takes_the_last_byte_and_is_never_sent_one_more(
    kind: str, limit: int, letter: str, gateways: Gateways
) -> None:
    apns = gateways.apns()
    (token,) = gateways.tokens(apns, 1)
    largest = sized(apns, token, limit, kind, letter)
    larger = sized(apns, token, limit + 1, kind, letter)

    assert isinstance(largest, Encoded)
    assert len(largest.body) == limit
    gathered: list[object] = []
    apns.provider.send([largest], 10, lambda _, outcome: gathered.append(outcome))
    while not gathered:
        apns.transport.pump(0.05)

    assert isinstance(gathered[0], Accepted)
    assert isinstance(larger, Unsendable)
    assert larger.reason == "too_large"


def test_apns_would_refuse_one_byte_more(gateways: Gateways) -> None:
    body = b'{"aps":{"alert":"' + b"a" * (4_097 - 20) + b'"}}'

    answer = gateways.ask(f"bearer {gateways.signed()}", body)

    assert len(body) == 4_097
    assert answer.status == 413
    assert isinstance(classify(answer, utc_now()), Rejected)


@pytest.mark.parametrize("letter", ["a", "é", "€"])
def test_a_collapse_id_has_at_most_64_bytes(letter: str, gateways: Gateways) -> None:
    apns = gateways.apns()
    letters, rest = divmod(64, len(letter.encode()))
    longest = letter * letters + "a" * rest

    outcomes = apns.send(gateways.tokens(apns, 1), collapse_id=longest)

    push = apns.encode(apns.mint("accepted", 1)).push
    longer = replace(push, collapse_id=longest + "a")
    assert isinstance(outcomes[0], Accepted)
    assert isinstance(apns.provider.encode(longer), Unsendable)
    assert gateways.pushes()[-1].headers["apns-collapse-id"] == longest


def test_fcm_takes_the_last_byte_and_is_never_sent_one_more(gateways: Gateways) -> None:
    fcm = gateways.fcm()
    push = fcm.encode(fcm.mint("accepted", 1)).push
    counted = len("carillon_message_id") + len(str(push.id)) + len("titleTbodyB") + len("k")
    room = 4_096 - counted

    def notification(size: int) -> Notification:
        return Notification(title="T", body="B", data={"k": "a" * size})

    (outcome,) = fcm.send(gateways.tokens(fcm, 1), notification=notification(room))
    larger = replace(push, notification=notification(room + 1))
    assert isinstance(outcome, Accepted)
    assert isinstance(fcm.provider.encode(larger), Unsendable)


def test_data_that_is_no_text_or_has_a_reserved_key_is_never_sent(gateways: Gateways) -> None:
    fcm = gateways.fcm()
    push = fcm.encode(fcm.mint("accepted", 1)).push

    refused: list[dict[str, Any]] = [{"k": 1}, {"from": "x"}, {"google.x": "y"}, {"gcm": "z"}]
    for data in refused:
        odd = replace(push, notification=Notification(title="T", data=data))
        assert isinstance(fcm.provider.encode(odd), Unsendable)
    assert gateways.pushes() == []


KINDS = {
    "alert": ("alert", TOPIC),
    "voip": ("voip", TOPIC + ".voip"),
    "complication": ("complication", TOPIC + ".complication"),
    "push_to_talk": ("pushtotalk", TOPIC + ".voip-ptt"),
    "widgets": ("widgets", TOPIC + ".push-type.widgets"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_push_names_its_type_and_the_topic_that_belongs_to_it(
    kind: str, gateways: Gateways
) -> None:
    apns = gateways.apns()

    outcomes = apns.send(gateways.tokens(apns, 1), kind=kind)

    headers = gateways.pushes()[0].headers
    assert isinstance(outcomes[0], Accepted)
    assert (headers["apns-push-type"], headers["apns-topic"]) == KINDS[kind]


def test_a_silent_push_is_never_urgent(gateways: Gateways) -> None:
    apns = gateways.apns()
    silent = Notification(silent=True)

    outcomes = apns.send(gateways.tokens(apns, 1), notification=silent, priority="high")

    headers = gateways.pushes()[0].headers
    assert isinstance(outcomes[0], Accepted)
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("background", "5")


@pytest.mark.parametrize(
    "changes",
    [
        {"apns_push_type": "background", "apns_priority": "10"},
        {"apns_push_type": "voip"},
        {"apns_push_type": "nonsense"},
        {"apns_topic": TOPIC + ".voip"},
        {"apns_expiration": "soon"},
        {"apns_id": "no uuid"},
    ],
)
def test_headers_that_do_not_fit_are_refused_and_never_retried(
    changes: dict[str, str], gateways: Gateways
) -> None:
    answer = gateways.ask(f"bearer {gateways.signed()}", ALERT, **changes)

    assert answer.status == 400
    assert not isinstance(classify(answer, utc_now()), Accepted)


def test_an_absent_push_type_is_taken_for_an_alert(gateways: Gateways) -> None:
    answer = gateways.ask(f"bearer {gateways.signed()}", ALERT, apns_push_type="")

    assert answer.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_refused(encoding: str, gateways: Gateways) -> None:
    body = gzip.compress(ALERT) if encoding == "gzip" else zlib.compress(ALERT)

    answer = gateways.ask(f"bearer {gateways.signed()}", body, content_encoding=encoding)

    assert answer.status == 400
    assert isinstance(classify(answer, utc_now()), Rejected)


def test_no_provider_compresses(gateways: Gateways) -> None:
    gateways.send(gateways.apns(), 1)
    gateways.send(gateways.fcm(), 1)

    assert all("content-encoding" not in entry.headers for entry in gateways.pushes())
    assert all(entry.body.startswith(b"{") for entry in gateways.pushes())
