"""Shares an external run out: one process keeps the servers that tests start, for all of them."""

from xdist.scheduler import LoadScopeScheduling

_OWN = "tests/external/"


class OwnServersTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the tests that start servers to one process, and every other test to any.

    Marks of xdist_group do not reach xdist 3.8 under pytest 9.2, whose node ids are fixed.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _OWN if nodeid.startswith(_OWN) else nodeid
