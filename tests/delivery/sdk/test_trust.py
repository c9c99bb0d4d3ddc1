"""What an error means for a request that ended in it."""

import ssl

import pytest

from delivery.sdk.trust import failure
from delivery.transport import Ambiguous, NotProcessed


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    "reason",
    ["CERTIFICATE_VERIFY_FAILED", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA"],
)
@pytest.mark.parametrize("written", [True, False])
def test_distrust_on_either_side_is_a_matter_of_certificates(reason: str, *, written: bool) -> None:
    outer = OSError("lost")
    outer.__cause__ = alert(reason)

    result = failure(outer, written=written, connected=written)

    assert result == NotProcessed("certificate", "lost")


def test_other_troubles_of_tls_are_none_of_certificates() -> None:
    error = alert("TLSV1_ALERT_INTERNAL_ERROR")

    assert isinstance(failure(error, written=False, connected=False), NotProcessed)
    assert isinstance(failure(error, written=True, connected=True), Ambiguous)


def test_what_was_written_is_in_doubt() -> None:
    assert failure(OSError("reset"), written=True, connected=True) == Ambiguous("reset")
    assert failure(OSError(), written=True, connected=True) == Ambiguous("OSError")


def test_what_was_not_written_says_how_far_it_came() -> None:
    error = OSError("refused")

    assert failure(error, written=False, connected=False) == NotProcessed("connect", "refused")
    assert failure(error, written=False, connected=True) == NotProcessed("unsent", "refused")
