"""The 46 behaviours of gateways that catch careless senders, and for whom they hold.

Topic and broadcast parts are left out: the product sends neither.
"""

from tests.http2.behaviours.behaviour import Behaviour
from tests.http2.behaviours.of_connections import CONNECTIONS
from tests.http2.behaviours.of_pushes import CREDENTIALS, PAYLOAD, RATES, TOKENS
from tests.http2.behaviours.sdk_failures import NOT_ASKED, SDK_FAILURES, SDK_KINDS, SOMETIMES

# Every transport under trial.
TRANSPORT_KINDS = ("http2", *SDK_KINDS)
# By kind and name of a test: why it fails there. Our own core has none.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {"http2": {}, **SDK_FAILURES}
BEHAVIOURS = (*CONNECTIONS, *CREDENTIALS, *RATES, *TOKENS, *PAYLOAD)


def holds_for(behaviour: Behaviour) -> tuple[str, ...]:
    """Return the transports that no test of a behaviour is expected to fail on."""
    return tuple(kind for kind in TRANSPORT_KINDS if not failures_of(behaviour, kind))


def failures_of(behaviour: Behaviour, kind: str) -> list[str]:
    """Return the numbers of the known failures that a behaviour shows of a transport."""
    names = {f"test_{name}" for name in behaviour.tests}
    known = {**EXPECTED_FAILURES[kind], **SOMETIMES.get(kind, {})}
    found = {number for case, number in known.items() if case.partition("[")[0] in names}
    return sorted(found, key=lambda number: (number[0], int(number[2:])))


def table() -> str:
    """Return the behaviours as the docs show them."""
    rows = [
        f"| {one.number} | {one.name} | {_cell(one, ('http2',))} | {_cell(one, SDK_KINDS)} |"
        for one in BEHAVIOURS
        if one.tests
    ]
    head = ("| | behaviour of the gateway | `http2` | `sdk` |", "|---|---|---|---|")
    return "\n".join((*head, *rows))


def _cell(behaviour: Behaviour, kinds: tuple[str, ...]) -> str:
    found = [number for kind in kinds for number in failures_of(behaviour, kind)]
    if found:
        return ", ".join(dict.fromkeys(found))
    if "http2" in kinds:
        return "holds"
    # Tests of the whole platform say nothing of a transport that it is not set to.
    own = [name for name in behaviour.tests if "::" not in name]
    asked = [name for name in own if f"test_{name}" not in _not_asked()]
    if not asked:
        return "not asked"
    return "holds" if len(asked) == len(own) else "holds, in part asked"


def _not_asked() -> set[str]:
    """Return the tests that the SDKs are not put to, whatever they carry."""
    return NOT_ASKED["sdk"] | (NOT_ASKED["aioapns"] & NOT_ASKED["firebase-admin"])
