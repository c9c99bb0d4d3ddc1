"""libcurl's multi interface, through the transport that was built on it."""

from pathlib import Path

from bench.peers.curl import CurlTransport
from bench.senders.carrying import carry
from bench.senders.job import Figures, Job, Meter


def send(job: Job) -> Figures:
    """Send the pushes of a job."""
    meter = Meter()
    return carry(job, CurlTransport(Path(job.ca), connections=32, streams=job.in_flight), meter)
