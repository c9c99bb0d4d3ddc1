"""When connecting is tried again."""

import pytest

from delivery.sdk.gate import Gate
from tests.deadlines import wait_until


def is_open(gate: Gate) -> bool:
    try:
        gate.check()
    except OSError:
        return False
    return True


def test_a_gate_opens_a_second_after_a_failure() -> None:
    gate = Gate()
    assert is_open(gate)

    gate.failed(OSError("refused"))

    with pytest.raises(OSError, match="refused"):
        gate.check()
    assert 0.5 < wait_until(lambda: is_open(gate), 5, "the gate opens") < 5


def test_a_success_opens_the_gate() -> None:
    gate = Gate()

    gate.failed(OSError("refused"))
    gate.succeeded()

    assert is_open(gate)
