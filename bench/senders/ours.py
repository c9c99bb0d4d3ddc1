"""The product's own transport, as its workers open it."""

from pathlib import Path

from bench.senders.carrying import carry
from bench.senders.job import Figures, Job, Meter
from delivery.transports import open_transport


def send(job: Job) -> Figures:
    """Send the pushes of a job."""
    meter = Meter()
    return carry(job, open_transport("http2", Path(job.ca)), meter)
