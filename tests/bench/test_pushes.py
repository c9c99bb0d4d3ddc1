"""Every push has a token, an id and a body of its own, and all senders of a shape send the same."""

import json

import pytest

from bench.contenders import make_signing_key
from bench.frame_server.frames import number_of
from bench.senders.job import APNS, FCM, Job
from bench.senders.pushes import apns_body, apns_message, fcm_body, requests


def job(shape: str, pushes: int = 300) -> Job:
    return Job("https://127.0.0.1:1", "ca.pem", shape, pushes, 10, make_signing_key())


def test_aioapns_puts_our_bytes_into_its_body() -> None:
    # This is how aioapns writes a message.
    assert json.dumps(apns_message(7), ensure_ascii=False).encode() == apns_body(7)


def test_an_apns_body_has_three_hundred_bytes() -> None:
    assert len(apns_body(0)) == len(apns_body(99_999_999)) == 300


@pytest.mark.parametrize("shape", [APNS, FCM])
def test_every_push_has_a_body_of_its_own(shape: str) -> None:
    assert len({request.body for request in requests(job(shape))}) == 300


def test_every_apns_push_has_a_token_of_its_own() -> None:
    assert len({request.path for request in requests(job(APNS))}) == 300


@pytest.mark.parametrize("body", [apns_body, fcm_body])
@pytest.mark.parametrize("number", [0, 1, 999_999, 2**32 - 1])
def test_a_server_reads_the_number_from_the_body(body: type, number: int) -> None:
    assert number_of(body(number)) == number
