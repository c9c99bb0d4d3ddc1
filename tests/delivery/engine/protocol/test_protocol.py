"""Every state that the chunk protocol can reach, for small sizes: nobody is lost or sent twice.

`docs/why/nothing-lost.md` says what is checked, and what the model leaves out.
"""

import pytest

from tests.deadlines import note
from tests.delivery.engine.protocol.cases import LONG, POLICIES, SHORT, Case
from tests.delivery.engine.protocol.exploring import explore, stuck


def check(case: Case, policy: str) -> None:
    """Walk through a world, which must be right everywhere and end from everywhere."""
    found = explore(case.of(policy))

    note(f"{policy}: {len(found.states)} states, {found.steps} steps")
    assert stuck(found, with_time=case.may_expire) == []
    assert len(found.states) >= case.states[POLICIES.index(policy)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SHORT)
def test_whatever_happens_the_books_are_right_and_the_message_ends(name: str, policy: str) -> None:
    check(SHORT[name], policy)


@pytest.mark.long
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", LONG)
def test_whatever_happens_in_larger_worlds(name: str, policy: str) -> None:
    check(LONG[name], policy)
