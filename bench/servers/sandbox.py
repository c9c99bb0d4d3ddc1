"""The sandbox's `sink` profile: answers every push, and keeps a hash of each."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.errors import BenchError
from bench.servers.server import Counted
from delivery.sandbox.client import (
    Address,
    ControlClient,
    SandboxStartError,
    start_sandbox,
    stop_sandbox,
)


@dataclass(frozen=True, slots=True)
class SandboxSink:
    """A running sandbox; its counters are the count."""

    name: str
    address: Address

    @property
    def url(self) -> str:
        """Its origin."""
        return self.address.url

    @property
    def ca(self) -> Path:
        """The authority that made its certificate."""
        return self.address.ca

    def restart_count(self) -> None:
        """Begin to count anew."""
        with ControlClient(self.address) as control:
            control.reset()

    def count(self, expected: int) -> Counted:  # noqa: ARG002 (it counts before it answers)
        """Return what the counters say."""
        with ControlClient(self.address) as control:
            stats = control.stats()
        return Counted(stats["accepted"], stats["distinct_accepted"])


@contextlib.contextmanager
def sandbox_sink(folder: Path, streams: int) -> Iterator[SandboxSink]:
    """Run a sandbox as a sink for the length of a block; raises BenchError."""
    arguments = ["--profile", '{"sink": true}', "--max-concurrent-streams", str(streams)]
    try:
        process, address = start_sandbox(folder, *arguments)
    except SandboxStartError as error:
        raise BenchError(f"the sandbox did not start: {error}") from error
    try:
        yield SandboxSink(f"sandbox sink on granian {version('granian')}", address)
    finally:
        stop_sandbox(process)
