"""aioapns through its own client class; only the host it connects to is ours."""

import asyncio
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsTLSClientProtocol

from bench.senders.job import Figures, Job, Meter
from bench.senders.pushes import EXPIRES_SECONDS, TOPIC, apns_message, apns_token, push_id


def send(job: Job) -> Figures:
    """Send the pushes of a job; the library knows no deadlines."""
    meter = Meter()
    answered = asyncio.run(_send(job))
    return meter.read(job.pushes, answered)


async def _send(job: Job) -> int:
    client = _client(job)
    numbers = iter(range(job.pushes))
    counts = await asyncio.gather(*(_sender(client, numbers) for _ in range(job.in_flight)))
    client.pool.close()
    return sum(counts)


async def _sender(client: APNs, numbers: Iterator[int]) -> int:
    """Send one push after the other; as many of these run as pushes are to be open."""
    answered = 0
    for number in numbers:
        result = await client.send_notification(
            NotificationRequest(
                apns_token(number),
                apns_message(number),
                push_id(number),
                time_to_live=EXPIRES_SECONDS,
                priority=10,
                collapse_key=push_id(number),
                push_type=PushType.ALERT,
            )
        )
        answered += result.is_successful
    return answered


def _client(job: Job) -> APNs:
    context = ssl.create_default_context(cafile=job.ca)
    # nginx speaks HTTP/2 only to who asks for it.
    context.set_alpn_protocols(["h2"])
    p8, key_id, team_id = job.signing_key
    client = APNs(key=p8, key_id=key_id, team_id=team_id, topic=TOPIC, ssl_context=context)
    place = urlsplit(job.url)

    class Local(APNsTLSClientProtocol):
        APNS_SERVER = place.hostname or ""
        APNS_PORT = place.port or 443

    client.pool.protocol_class = Local
    return client
