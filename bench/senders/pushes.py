"""The pushes of a benchmark: each has a token, an id and a body of its own, made from its number.

All senders of a shape put the same bytes into their bodies. The number stands at the beginning
of an APNs body and of an FCM token, so that a server can tell which push it got.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bench.senders.job import FCM, Job
from delivery.providers.provider_token import provider_token
from delivery.transport import Endpoint, Fields, Request

TOPIC = "com.example.carillon"
TITLE, TEXT = "Hello there", "A message body of ordinary length"
ACCESS_TOKEN = "ya29." + "a" * 200
PROJECT = "bench"
EXPIRES_SECONDS = 3_600

_TOKEN_REST = "5c2d94be" * 7
_FCM_TOKEN_REST = ":APA91b" + "Qx7Zk3Lw" * 16
_PADDING = "abcdefgh" * 17
# Written as json.dumps writes it, so that aioapns sends these bytes, too: 300 of them.
_APNS_BODY = (
    '{{"id": "{id}", "aps": {{"alert": {{"title": "' + TITLE + '", "body": "' + TEXT + '"}}, '
    '"sound": "default"}}, "k": "' + _PADDING + '"}}'
)
_FCM_BODY = (
    '{{"message":{{"token":"{token}","data":{{"carillon_message_id":"{id}"}},'
    '"notification":{{"title":"' + TITLE + '","body":"' + TEXT + '"}},'
    '"android":{{"priority":"high","ttl":"3600s"}}}}}}'
)


def push_id(number: int) -> str:
    """Return the id of a push, a UUID."""
    return f"{number:08x}-94be-4d2a-8c1e-5c2d94be5c2d"


def apns_token(number: int) -> str:
    """Return a device token of 64 hexadecimal digits."""
    return f"{number:08x}{_TOKEN_REST}"


def fcm_token(number: int) -> str:
    """Return a registration token of the usual length."""
    return f"{number:08x}{_FCM_TOKEN_REST}"


def apns_message(number: int) -> dict[str, Any]:
    """Return an APNs payload as aioapns takes it."""
    alert = {"title": TITLE, "body": TEXT}
    return {"id": push_id(number), "aps": {"alert": alert, "sound": "default"}, "k": _PADDING}


def apns_body(number: int) -> bytes:
    """Return the same payload as bytes."""
    return _APNS_BODY.format(id=push_id(number)).encode()


def fcm_body(number: int) -> bytes:
    """Return an FCM message as bytes."""
    return _FCM_BODY.format(token=fcm_token(number), id=push_id(number)).encode()


def requests(job: Job) -> Iterator[Request]:
    """Yield the requests of a job as the providers of the product build them."""
    return _fcm_requests(job) if job.shape == FCM else _apns_requests(job)


def _apns_requests(job: Job) -> Iterator[Request]:
    endpoint = Endpoint(job.url, "bench")
    signed = provider_token(*job.signing_key, datetime.now(UTC))
    headers: Fields = (
        ("content-type", "application/json"),
        ("apns-push-type", "alert"),
        ("apns-priority", "10"),
        ("apns-topic", TOPIC),
    )
    # Apple wants these two written in full each time.
    authorization = ("authorization", f"bearer {signed}")
    expiration = ("apns-expiration", str(int(time.time()) + EXPIRES_SECONDS))
    for number in range(job.pushes):
        one = push_id(number)
        varying = (authorization, ("apns-id", one), expiration, ("apns-collapse-id", one))
        path = "/3/device/" + apns_token(number)
        yield Request(endpoint, path, headers, varying, apns_body(number), job.timeout_seconds)


def _fcm_requests(job: Job) -> Iterator[Request]:
    endpoint = Endpoint(job.url, "bench")
    path = f"/v1/projects/{PROJECT}/messages:send"
    headers: Fields = (
        ("authorization", f"Bearer {ACCESS_TOKEN}"),
        ("content-type", "application/json"),
    )
    for number in range(job.pushes):
        yield Request(endpoint, path, headers, (), fcm_body(number), job.timeout_seconds)
