"""From what libcurl says about a transfer to what became of the request; pure."""

from delivery.transport import Ambiguous, NotProcessed

# https://curl.se/libcurl/c/libcurl-errors.html
COULD_NOT_CONNECT = 7
TIMED_OUT = 28
LOCAL_CERTIFICATE = 58
PEER_NOT_TRUSTED = 60
CAN_NOT_REWIND = 65
CA_FILE_UNREADABLE = 77

_NOT_TRUSTED = frozenset({LOCAL_CERTIFICATE, PEER_NOT_TRUSTED, CA_FILE_UNREADABLE})


def failure(code: int, words: str, *, body_taken: bool) -> NotProcessed | Ambiguous:
    """Classify a transfer that ended without an answer.

    `body_taken` tells whether libcurl fetched the body: before that, the request can not have
    been written whole. After that it may have been, whatever libcurl complains about.
    """
    if code in _NOT_TRUSTED:
        return NotProcessed("certificate", words)
    if not body_taken:
        return NotProcessed("connect", words or "no connection")
    if code == TIMED_OUT:
        return Ambiguous("timeout")
    if code == CAN_NOT_REWIND:
        return Ambiguous("connection lost or stream refused")
    return Ambiguous(words or f"curl error {code}")


def abandoned(*, body_taken: bool) -> NotProcessed | Ambiguous:
    """Classify a transfer that we ended ourselves."""
    return Ambiguous("closed") if body_taken else NotProcessed("unsent", "closed before sending")


def headers(block: bytes) -> dict[str, str]:
    """Read the header lines of the last response in `block`; names become lower case."""
    found: dict[str, str] = {}
    for line in block.decode("latin-1").split("\r\n"):
        if line.startswith("HTTP/"):
            found.clear()
            continue
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found
