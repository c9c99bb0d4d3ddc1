"""What is there when a process has settled is not looked through again, what comes later is."""

import os
import subprocess
import sys

from cryptography.fernet import Fernet

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


# Nothing listens there: the factory connects to nothing.
_NOWHERE = "127.0.0.1:1"
_SETTINGS = {
    "CARILLON_DATABASE_URL": f"postgresql+psycopg://carillon@{_NOWHERE}/carillon",
    "CARILLON_REDIS_URL": f"redis://{_NOWHERE}/0",
    "CARILLON_BROKER_URL": f"redis://{_NOWHERE}/0",
    "CARILLON_SECRET_KEYS": Fernet.generate_key().decode(),
}
_FACTORY = """
import gc
from api.main import create_app

young, *others = gc.get_threshold()
app = create_app()
assert gc.get_freeze_count() > 50_000
# What old cycles hold is let go as soon, counted in collections of the young.
assert gc.get_threshold()[1:] == tuple(others)
assert gc.get_threshold()[0] > young
"""


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", script),
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, **_SETTINGS},
    )


def test_a_settled_process_collects_only_what_came_later() -> None:
    done = _run(_SCRIPT)

    assert done.returncode == 0, done.stderr


def test_the_factory_of_http_processes_settles_them() -> None:
    done = _run(_FACTORY)

    assert done.returncode == 0, done.stderr
