"""The 46 behaviours of gateways that catch careless senders, and for whom they hold.

Topic and broadcast parts are left out: the product sends neither.
"""

from tests.http2.behaviours.behaviour import Behaviour
from tests.http2.behaviours.of_connections import CONNECTIONS
from tests.http2.behaviours.of_pushes import CREDENTIALS, PAYLOAD, RATES, TOKENS

# Every transport under trial.
TRANSPORT_KINDS = ("http2",)
# By kind and name of a test: why it fails there. Our own core has none.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}
BEHAVIOURS = (*CONNECTIONS, *CREDENTIALS, *RATES, *TOKENS, *PAYLOAD)


def holds_for(behaviour: Behaviour) -> tuple[str, ...]:
    """Return the transports that no test of a behaviour is expected to fail on."""
    names = {f"test_{name}" for name in behaviour.tests}
    return tuple(
        kind for kind in TRANSPORT_KINDS if not names & EXPECTED_FAILURES.get(kind, {}).keys()
    )
