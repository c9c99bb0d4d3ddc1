"""What libcurl says about a failed transfer, classified."""

import pytest

from bench.peers.curl.result import abandoned, failure, headers
from delivery.transport import Ambiguous, NotProcessed


@pytest.mark.parametrize("code", [58, 60, 77])
def test_an_untrusted_certificate_is_told_from_other_faults(code: int) -> None:
    assert failure(code, "words", body_taken=False) == NotProcessed("certificate", "words")


@pytest.mark.parametrize("code", [6, 7, 28, 35, 56])
def test_a_request_whose_body_was_never_taken_was_not_processed(code: int) -> None:
    assert failure(code, "words", body_taken=False) == NotProcessed("connect", "words")


@pytest.mark.parametrize("code", [16, 28, 55, 56, 65, 92])
def test_a_request_whose_body_was_taken_is_in_doubt(code: int) -> None:
    assert isinstance(failure(code, "words", body_taken=True), Ambiguous)


def test_a_timeout_names_itself() -> None:
    assert failure(28, "Operation timed out", body_taken=True) == Ambiguous("timeout")


def test_ending_a_transfer_ourselves_leaves_doubt_only_after_the_body_was_taken() -> None:
    assert isinstance(abandoned(body_taken=True), Ambiguous)
    assert isinstance(abandoned(body_taken=False), NotProcessed)


def test_headers_are_those_of_the_last_response_with_names_in_lower_case() -> None:
    block = b"HTTP/2 103 \r\nlink: x\r\n\r\nHTTP/2 200 \r\nAPNS-ID: a:b \r\nRetry-After:5\r\n\r\n"

    assert headers(block) == {"apns-id": "a:b", "retry-after": "5"}
