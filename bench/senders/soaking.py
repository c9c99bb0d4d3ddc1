"""Sends through a server that misbehaves, and writes down what the transport says of each push.

``python -m bench.senders.soaking OUTCOMES`` with a job on its standard input.
"""

import sys
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import orjson
import psutil

from bench.senders.job import Job, Meter
from bench.senders.pushes import requests
from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route
from delivery.transport import Ambiguous, Answer, NotProcessed, Result, Transport

# One byte for each push; NEVER is what it has before its result, TWICE what a second one makes.
NEVER, ANSWERED, NOT_PROCESSED, AMBIGUOUS, REFUSED, TWICE = range(6)
_PUMP_SECONDS = 1.0
# Until then memory grows with the first connections; from then on it must not.
_WARM_SHARE = 20


@dataclass(frozen=True, slots=True)
class Soaked:
    """How long it took and what it needed; memory is the resident set in megabytes."""

    seconds: float
    cpu_us_per_push: float
    rss_mb_start: float
    rss_mb_end: float


class Outcomes:
    """The results of numbered pushes."""

    def __init__(self, pushes: int) -> None:
        self.found = bytearray(pushes)
        self.ended = 0

    def end(self, number: int, result: Result) -> None:
        """Take the result of a push."""
        self.ended += 1
        self.found[number] = TWICE if self.found[number] else outcome(result)


def outcome(result: Result) -> int:
    """Return the byte for a result; an answer other than 200 is REFUSED."""
    if isinstance(result, Answer):
        return ANSWERED if result.status == 200 else REFUSED
    if isinstance(result, NotProcessed):
        return NOT_PROCESSED
    assert isinstance(result, Ambiguous)
    return AMBIGUOUS


def soak(job: Job, transport: Transport, outcomes: Outcomes) -> Soaked:
    """Send all pushes of a job; those that are lost are not sent again."""
    meter, found, sent = Meter(), requests(job), 0
    start = 0.0
    while outcomes.ended < job.pushes:
        for request in islice(found, job.in_flight - (sent - outcomes.ended)):
            transport.submit(request, partial(outcomes.end, sent))
            sent += 1
        transport.pump(_PUMP_SECONDS)
        if not start and outcomes.ended * _WARM_SHARE >= job.pushes:
            start = _resident_mb()
    end, figures = _resident_mb(), meter.read(sent, outcomes.ended)
    transport.close()
    return Soaked(round(figures.seconds, 1), round(figures.cpu_us_per_push, 2), start, end)


def _resident_mb() -> float:
    return round(float(psutil.Process().memory_info().rss) / 1e6, 1)


def main(place: Path) -> int:
    """Do the job, write the outcomes, print the figures as one JSON line."""
    job = Job.from_json(orjson.loads(sys.stdin.buffer.read()))
    outcomes = Outcomes(job.pushes)
    soaked = soak(job, Http2Transport(Options(Route(Path(job.ca)))), outcomes)
    place.write_bytes(outcomes.found)
    print(orjson.dumps(asdict(soaked)).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
