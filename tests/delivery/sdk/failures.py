"""What the SDKs are known to do wrong: each fact once, for the expected failures and the docs."""

from dataclasses import dataclass

import pytest

FIREBASE, AIOAPNS = "firebase-admin", "aioapns"


@dataclass(frozen=True, slots=True)
class Failure:
    """When it shows, and what comes of it over the transport."""

    sdk: str
    trigger: str
    result: str


FAILURES = {
    "F-1": Failure(
        FIREBASE,
        "the gateway lowers its stream limit below the streams that are open",
        "no answer is read any more: all end as `unknown` at their deadline",
    ),
    "F-2": Failure(
        FIREBASE,
        "GOAWAY with requests in flight",
        "answers that come after it are not read: processed pushes end as `unknown`, and with "
        "last id 0 also those that were not",
    ),
    "F-3": Failure(
        FIREBASE,
        "a refused stream (RST_STREAM, REFUSED_STREAM)",
        "ends as `unknown`, although nothing was processed",
    ),
    "F-4": Failure(
        FIREBASE,
        "401 for whatever reason",
        "the request is sent three times before the refusal is believed",
    ),
    "F-5": Failure(
        FIREBASE,
        "answers that come before those of earlier requests on their connection",
        "they are noticed only when more arrives or the earlier requests end, and may end as "
        "`unknown` meanwhile",
    ),
    "F-6": Failure(
        FIREBASE,
        "GOAWAY with requests beyond its last id",
        "httpx sends them again by itself, at once, on another connection (none is processed "
        "twice)",
    ),
    "F-7": Failure(
        FIREBASE,
        "a connection that the gateway closes while nothing is under way",
        "is not noticed: the next pushes are written to it, and end as `unknown`",
    ),
    "F-8": Failure(
        FIREBASE,
        "a gateway whose TLS does not name HTTP/2 (no ALPN)",
        "HTTP/1.1 is spoken to it",
    ),
    "F-9": Failure(
        FIREBASE,
        "settings that come late, or allow no stream",
        "the first push is sent without waiting for them",
    ),
    "F-10": Failure(
        FIREBASE,
        "GOAWAY that says why",
        "the words do not reach the operator",
    ),
    "F-11": Failure(
        FIREBASE,
        "no room in the gateway's window before the deadline, or a window made smaller",
        "ends as `unknown`, although it was never written whole",
    ),
    "F-12": Failure(
        FIREBASE,
        "a connection that is lost while others wait for one of its streams",
        "they all fail with it, instead of going over another one",
    ),
    "F-13": Failure(
        FIREBASE,
        "one address among several that swallows everything",
        "the time of the first pushes goes there",
    ),
    "A-1": Failure(
        AIOAPNS,
        "an error without a body",
        "no answer is seen: `unknown` at the deadline",
    ),
    "A-2": Failure(
        AIOAPNS,
        "an accepted push whose answer has no `apns-id`, or has it in upper case",
        "no answer is seen: `unknown` at the deadline",
    ),
    "A-3": Failure(
        AIOAPNS,
        "an error whose body comes in two parts, or is no JSON",
        "the connection breaks, and everybody on it ends as `unknown`",
    ),
    "A-4": Failure(
        AIOAPNS,
        "a stream that the gateway resets or refuses",
        "no answer is seen: `unknown` at the deadline, also when nothing was processed",
    ),
    "A-5": Failure(
        AIOAPNS,
        "GOAWAY with requests in flight",
        "the connection is closed at once: answers that were due are lost, and processed ones and "
        "those beyond the last id alike end as `unknown`",
    ),
    "A-6": Failure(
        AIOAPNS,
        "the gateway's flow-control window is used up",
        "nothing waits for room: pushes end as not sent and cost another try",
    ),
    "A-7": Failure(
        AIOAPNS,
        "more than 65,535 bytes of error bodies on one connection",
        "it never gives back room: later errors are not seen and end as `unknown`",
    ),
    "A-8": Failure(
        AIOAPNS,
        "a new connection whose gateway allows one stream at first",
        "more are opened before its settings are read; the refused ones end as `unknown`",
    ),
    "A-9": Failure(
        AIOAPNS,
        "two pushes with the same `apns-id` at once",
        "one answer is lost: that push ends as `unknown`",
    ),
    "A-10": Failure(AIOAPNS, "`Retry-After`", "is not handed on"),
    "A-11": Failure(
        AIOAPNS,
        "a status 200 with a body that is not the gateway's",
        "counts as accepted, and then breaks the connection",
    ),
    "A-12": Failure(
        AIOAPNS,
        "a payload close to the limit of 4,096 bytes",
        "is written with blanks between its parts, and so may be too large",
    ),
    "A-13": Failure(
        f"{AIOAPNS}, {FIREBASE}",
        "the gateway refuses our certificate",
        "may look like a connection that was lost: then the credential does not pause",
    ),
    "A-14": Failure(
        AIOAPNS,
        "a stream limit that is reached or lowered, or a lost connection",
        "further connections are opened at once, instead of waiting",
    ),
    "A-15": Failure(
        AIOAPNS,
        "one address among several that swallows everything",
        "the time of the first pushes goes there",
    ),
    "A-16": Failure(
        AIOAPNS,
        "connections that end as soon as they are open",
        "are opened anew for each push: gateways take that for an attack",
    ),
    "A-17": Failure(
        AIOAPNS,
        "a header that it has no place for",
        "the push is refused in words before it is sent",
    ),
}


def table() -> str:
    """Return the failures as the docs show them."""
    rows = [
        f"| {key} | {one.sdk} | {one.trigger} | {one.result} |" for key, one in FAILURES.items()
    ]
    return "\n".join(("| | SDK | when | what comes of it |", "|---|---|---|---|", *rows))


def expect(request: pytest.FixtureRequest, key: str, *, strict: bool = True) -> None:
    """Expect the present test to fail for a known reason; passing is then a failure.

    Not `strict` is only for a failure that depends on what arrives first.
    """
    known = FAILURES[key]
    reason = f"{key}: {known.sdk}, {known.trigger}"
    request.applymarker(pytest.mark.xfail(reason=reason, strict=strict))
