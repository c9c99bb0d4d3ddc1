"""The frame server as a server of a benchmark: answers late, or misbehaves by the count."""

import contextlib
import subprocess
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.children import last_words, running
from bench.errors import BenchError
from bench.servers.server import Counted
from delivery.sandbox.authority import AuthorityFiles


@dataclass(frozen=True, slots=True)
class FramePeer:
    """A running frame server; it counts what it processed."""

    name: str
    url: str
    folder: Path
    _process: "subprocess.Popen[bytes]"

    @property
    def ca(self) -> Path:
        """The authority that made its certificate."""
        return AuthorityFiles(self.folder).ca

    @property
    def pid(self) -> int:
        """The process, for whoever measures it."""
        return self._process.pid

    def restart_count(self) -> None:
        """Begin to count anew."""
        self.order("restart")

    def count(self, expected: int) -> Counted:  # noqa: ARG002 (it counts before it answers)
        """Return what it has processed."""
        stats = self.order("count")
        return Counted(stats["processed"], stats["distinct"])

    def record(self) -> "array[int]":
        """Return what it has processed as (connection, stream, number), one after the other."""
        self.order("record")
        found = array("I")
        found.frombytes((self.folder / "record").read_bytes())
        return found

    def order(self, line: str) -> dict[str, int]:
        """Give an order and return the totals; raises BenchError when nobody answers."""
        given, said = self._process.stdin, self._process.stdout
        if given is not None and said is not None:
            with contextlib.suppress(OSError):
                given.write(line.encode() + b"\n")
                given.flush()
                if answer := said.readline():
                    stats: dict[str, int] = orjson.loads(answer)
                    return stats
        log = self.folder / "frames.log"
        raise BenchError(f"the frame server does not answer: {last_words(log)}")


@contextlib.contextmanager
def frame_peer(folder: Path, arguments: Sequence[str]) -> Iterator[FramePeer]:
    """Run a frame server for the length of a block; raises BenchError."""
    log = folder / "frames.log"
    given = ["--folder", str(folder), *arguments]
    with running("bench.frame_server", given, log) as process:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise BenchError(f"the frame server did not start: {last_words(log)}")
        url = f"https://127.0.0.1:{orjson.loads(line)['port']}"
        yield FramePeer("raw frames in Python", url, folder, process)
