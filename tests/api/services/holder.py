"""A process that holds an embedded pair and a child with a fork, to be killed by tests.

Run as `python -m tests.api.services.holder FOLDER`; prints its facts as one JSON line.
"""

import json
import signal
import sys
from pathlib import Path

from api.services.children import Child, supervised
from api.services.pair import EmbeddedOptions, embedded_pair, say_on_stderr

# Like granian and celery: a main process with a fork of its own, which prints both pids.
FORKING = """
import os, pathlib, signal, sys
fork = os.fork()
if fork:
    # Whoever waits for the note must never find it empty.
    draft = pathlib.Path(sys.argv[1] + ".draft")
    draft.write_text(f"{os.getpid()} {fork}")
    draft.rename(sys.argv[1])
while True:
    signal.pause()
"""


def forking_child(note: Path) -> Child:
    return Child("forking", (sys.executable, "-c", FORKING, str(note)), ready=note.is_file)


def main(folder: Path) -> None:
    note = folder.parent / "pids"
    options = EmbeddedOptions(folder, durable=False)
    with (
        embedded_pair(options) as pair,
        supervised(pair.book, cwd=folder, say=say_on_stderr) as supervisor,
    ):
        supervisor.start([forking_child(note)])
        forked = [int(pid) for pid in note.read_text().split()]
        pids = [pair.postgres.pid, pair.valkey.pid, *forked]
        sockets = pair.database_url.partition("host=")[2]
        facts = {"pids": pids, "sockets": sockets, "database_url": pair.database_url}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        while True:
            signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
