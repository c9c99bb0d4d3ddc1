"""firebase-admin's `send_each_async`; only the address it posts to is ours."""

import asyncio
import os
from collections.abc import Iterator
from itertools import islice

import firebase_admin
from firebase_admin import credentials, messaging
from google.oauth2.credentials import Credentials

from bench.senders.job import Figures, Job, Meter
from bench.senders.pushes import ACCESS_TOKEN, PROJECT, TEXT, TITLE, fcm_token, push_id

_LARGEST_BATCH = 500


class _Issued(credentials.Base):  # type: ignore[misc]
    """An access token that was issued already, so that no token endpoint is asked."""

    def get_credential(self) -> Credentials:
        return Credentials(ACCESS_TOKEN)  # type: ignore[no-untyped-call]


def send(job: Job) -> Figures:
    """Send the pushes of a job in batches, at most 500 pushes each."""
    # Where httpx looks for whom to trust.
    os.environ["SSL_CERT_FILE"] = job.ca
    meter = Meter()
    messaging._MessagingService.FCM_URL = job.url + "/v1/projects/{0}/messages:send"  # noqa: SLF001
    options = {"projectId": PROJECT, "httpTimeout": job.timeout_seconds}
    firebase_admin.initialize_app(_Issued(), options)
    answered = asyncio.run(_send(job))
    return meter.read(job.pushes, answered)


async def _send(job: Job) -> int:
    numbers = iter(range(job.pushes))
    senders = -(-job.in_flight // _LARGEST_BATCH)
    size = job.in_flight // senders
    counts = await asyncio.gather(*(_sender(numbers, size) for _ in range(senders)))
    return sum(counts)


async def _sender(numbers: Iterator[int], size: int) -> int:
    answered = 0
    while batch := [_message(number) for number in islice(numbers, size)]:
        sent = await messaging.send_each_async(batch)
        answered += sent.success_count
    return answered


def _message(number: int) -> messaging.Message:
    return messaging.Message(
        token=fcm_token(number),
        data={"carillon_message_id": push_id(number)},
        notification=messaging.Notification(title=TITLE, body=TEXT),
        android=messaging.AndroidConfig(priority="high", ttl=3600),
    )
