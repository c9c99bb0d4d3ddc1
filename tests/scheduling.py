"""Shares a run out to its processes: what would be in each other's way is given to one of them.

Marks of xdist_group do not reach xdist 3.8 under pytest 9.2, whose node ids are fixed.
"""

from xdist.scheduler import LoadScopeScheduling

_EXTERNAL = "tests/external/"
# Each of them starts a platform of many processes, or a browser, and waits for what they do.
_CROWDS = (
    "tests/api/commands/",
    "tests/api/services/",
    "tests/bench/",
    "tests/browser/",
    "tests/chaos/",
    "tests/http2/interop/",
)
PATIENCE_SECONDS = 600


def is_crowd(nodeid: str) -> bool:
    """Tell whether a test starts so much that a second one of its kind would make both late."""
    return nodeid.startswith(_CROWDS)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives tests that start servers to one process, crowds to one, every other file to any."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_EXTERNAL):
            return _EXTERNAL
        return "crowds" if is_crowd(nodeid) else nodeid.split("::", 1)[0]
