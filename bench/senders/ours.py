"""The product's own transport, as its workers open it."""

from pathlib import Path

from bench.senders.carrying import carry
from bench.senders.job import Figures, Job, Meter
from delivery.http2 import Http2Transport, Options
from delivery.tls.dial import Route


def send(job: Job) -> Figures:
    """Send the pushes of a job."""
    meter = Meter()
    return carry(job, Http2Transport(Options(Route(Path(job.ca)))), meter)
