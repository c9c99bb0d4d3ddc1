"""Who is measured, and one measured run of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import orjson

from bench.children import ask
from bench.errors import BenchError
from bench.senders.job import APNS, FCM, Figures, Job
from bench.servers.server import Server
from delivery.sandbox.credentials import make_apns_key

OURS, OURS_FCM = "ours", "ours_fcm"
_RUN_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A sender with the shape of its pushes; a slow one sends one `share`-th of them."""

    name: str
    module: str
    shape: str
    share: int = 1

    def pushes(self, most: int) -> int:
        """Return how many pushes it sends where the fastest sends `most`."""
        return max(100, most // self.share)


_OURS = Contender(OURS, "ours", APNS)
_OURS_FCM = Contender(OURS_FCM, "ours", FCM)
PEERS = {
    "aioapns": Contender("aioapns", "aioapns", APNS, 10),
    "firebase_admin": Contender("firebase_admin", "firebase_admin", FCM, 100),
    "libcurl": Contender("libcurl", "libcurl", APNS),
}
DISTANT_PEERS = {**PEERS, "libcurl": Contender("libcurl", "libcurl", FCM)}


def line_up(peers: Sequence[str], *, is_distant: bool) -> list[Contender]:
    """Return who takes part, ours first; a distant server is met with FCM's shape."""
    if is_distant:
        ours = Contender(OURS, "ours", FCM)
        return [ours, *(DISTANT_PEERS[name] for name in peers)]
    ours_fcm = [_OURS_FCM] if "firebase_admin" in peers else []
    return [_OURS, *ours_fcm, *(PEERS[name] for name in peers)]


@dataclass(frozen=True, slots=True)
class Track:
    """Where contenders run: one server, one signing key; `say` takes a line about each run."""

    server: Server
    signing_key: tuple[str, str, str]
    say: Callable[[str], None]

    def run(self, contender: Contender, pushes: int, in_flight: int) -> Figures:
        """Let one contender send in a process of its own; raises BenchError unless all add up."""
        server = self.server
        job = Job(server.url, str(server.ca), contender.shape, pushes, in_flight, self.signing_key)
        server.restart_count()
        said = ask("bench.senders", [contender.module], orjson.dumps(asdict(job)), _RUN_SECONDS)
        figures = Figures(**orjson.loads(said))
        counted = server.count(pushes)
        found = (figures.sent, figures.answered, counted.answered, counted.distinct)
        if found != (pushes,) * 4:
            raise BenchError(
                f"{contender.name} sent {figures.sent} pushes and got {figures.answered} answers; "
                f"the server answered {counted.answered}, {counted.distinct} of them different"
            )
        self.say(
            f"{contender.name:<14} {in_flight:>5} in flight {figures.pushes_per_second:>9,.0f} "
            f"pushes/s {figures.cpu_us_per_push:>8.1f} us CPU each"
        )
        return figures


def make_signing_key() -> tuple[str, str, str]:
    """Return a .p8 file's text, its key id and its team id."""
    key = make_apns_key()
    return key.p8, key.key_id, key.team_id
