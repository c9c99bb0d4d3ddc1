"""Send through unmodified firebase_admin in a process of its own, so that its trust settings
and its background threads are its own too. Reads a job from standard input, prints outcomes.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import firebase_admin
from firebase_admin import credentials, messaging


def _message(token: str) -> messaging.Message:
    return messaging.Message(
        token=token,
        data={"carillon_message_id": "sdk"},
        notification=messaging.Notification(title="Hello", body="World"),
        android=messaging.AndroidConfig(
            ttl=60,
            priority="high",
            notification=messaging.AndroidNotification(tag="t", color="#aabbcc"),
        ),
        apns=messaging.APNSConfig(
            headers={"apns-priority": "10"},
            payload=messaging.APNSPayload(aps=messaging.Aps(badge=1, sound="default")),
        ),
    )


def _outcome(response: messaging.SendResponse) -> str:
    return "accepted" if response.success else type(response.exception).__name__


def _run(mode: str, messages: list[messaging.Message]) -> messaging.BatchResponse:
    if mode == "async":
        return asyncio.run(messaging.send_each_async(messages))
    send: Callable[[list[messaging.Message]], messaging.BatchResponse] = messaging.send_each
    return send(messages)


def main() -> None:
    job: dict[str, Any] = json.load(sys.stdin)
    service = messaging._MessagingService
    service.FCM_URL = job["url"] + "/v1/projects/{0}/messages:send"
    firebase_admin.initialize_app(credentials.Certificate(job["account"]))
    batch = _run(job["mode"], [_message(token) for token in job["tokens"]])
    json.dump([_outcome(one) for one in batch.responses], sys.stdout)


if __name__ == "__main__":
    main()
