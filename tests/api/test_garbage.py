"""What is there when a process has settled is not looked through again, what comes later is."""

import subprocess
import sys

_SCRIPT = """
import gc
import weakref
from api.garbage import settle

class Node: pass

def cycle():
    one, other = Node(), Node()
    one.other, other.other = other, one
    return weakref.ref(one)

kept = Node()
settle()
assert not any(one is kept for one in gc.get_objects())
assert gc.get_freeze_count() > 1_000
later = cycle()
assert later() is not None
gc.collect()
assert later() is None
"""


def test_a_settled_process_collects_only_what_came_later() -> None:
    done = subprocess.run(
        (sys.executable, "-c", _SCRIPT), capture_output=True, check=False, text=True
    )

    assert done.returncode == 0, done.stderr
