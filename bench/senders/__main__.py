"""One sender as a process: ``python -m bench.senders NAME`` with a job on its standard input."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol, cast

import orjson

from bench.senders.job import Figures, Job


class Sender(Protocol):
    """What a module of a sender offers."""

    send: Callable[[Job], Figures]


def main(name: str) -> int:
    """Do the job and print the figures as one JSON line."""
    # Only this sender's libraries are loaded: the others must not weigh on it.
    sender = cast("Sender", importlib.import_module(f"bench.senders.{name}"))
    figures = sender.send(Job.from_json(orjson.loads(sys.stdin.buffer.read())))
    print(orjson.dumps(asdict(figures)).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
