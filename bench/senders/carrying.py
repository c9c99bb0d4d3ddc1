"""Drives a transport through its public contract, as a worker of the product does."""

from itertools import islice

from bench.errors import BenchError
from bench.senders.job import Figures, Job, Meter
from bench.senders.pushes import requests
from delivery.transport import Answer, Result, Transport

_PUMP_SECONDS = 1.0


class Tally:
    """Counts the pushes that were answered with 200."""

    def __init__(self) -> None:
        self.answered = 0

    def end(self, result: Result) -> None:
        """Take one result; raises BenchError for another one, which no figure could excuse."""
        if type(result) is not Answer or result.status != 200:
            raise BenchError(f"push {self.answered + 1} ended as {result}")
        self.answered += 1


def carry(job: Job, transport: Transport, meter: Meter) -> Figures:
    """Send all pushes of a job and return what that cost."""
    tally = Tally()
    found, sent = requests(job), 0
    while tally.answered < job.pushes:
        for request in islice(found, job.in_flight - (sent - tally.answered)):
            transport.submit(request, tally.end)
            sent += 1
        transport.pump(_PUMP_SECONDS)
    figures = meter.read(sent, tally.answered)
    transport.close()
    return figures
