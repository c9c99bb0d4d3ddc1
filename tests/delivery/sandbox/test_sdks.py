"""The vendors' and the community's own senders reach the gateways without a change."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aioapns import APNs, NotificationRequest, PushType
from aioapns.common import NotificationResult
from aioapns.connection import APNsTLSClientProtocol

from delivery.sandbox.tokens import apns_token, fcm_token
from tests.fixtures.loops import run_apart
from tests.fixtures.sandbox import TOPIC, Sandbox, trust

_SENDER = Path(__file__).with_name("firebase_sender.py")


def _send_with_firebase(sandbox: Sandbox, mode: str, tokens: list[str]) -> list[str]:
    ca = str(sandbox.address.ca)
    # google-auth looks up an address of its own in the background; a closed proxy ends that here.
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "REQUESTS_CA_BUNDLE": ca,
        "SSL_CERT_FILE": ca,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": sandbox.address.host,
    }
    job = {"url": sandbox.address.url, "account": sandbox.account, "tokens": tokens, "mode": mode}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(_SENDER)],
        input=json.dumps(job),
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[str] = json.loads(done.stdout)
    return outcomes


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_firebase_admin_sends_through_it(sandbox: Sandbox, mode: str) -> None:
    names = ["gone", "malformed", "sender_id_mismatch", "rate_limit_exceeded_bare"]
    names += ["quota_exceeded_bare", "ios_token_disabled", "bad_gateway"]
    accepted = [fcm_token("accepted", serial) for serial in range(20)]

    outcomes = _send_with_firebase(sandbox, mode, accepted + [fcm_token(name, 1) for name in names])

    assert outcomes[:20] == ["accepted"] * 20
    assert outcomes[20:] == [
        "UnregisteredError",
        "InvalidArgumentError",
        "SenderIdMismatchError",
        "ResourceExhaustedError",
        "QuotaExceededError",
        "InvalidArgumentError",
        "UnknownError",
    ]
    assert set(sandbox.control.accepted("sdk")) == {(token, "sdk") for token in accepted}
    assert sandbox.control.stats()["duplicates"] == 0


async def _send_with_aioapns(
    sandbox: Sandbox, tokens: list[str], protocols: list[str]
) -> list[NotificationResult]:
    context = trust(sandbox.address)
    if protocols:
        context.set_alpn_protocols(protocols)
    client = APNs(
        key=sandbox.key.p8,
        key_id=sandbox.key.key_id,
        team_id=sandbox.key.team_id,
        topic=TOPIC,
        max_connections=1,
        ssl_context=context,
    )

    lost = asyncio.Event()

    class Local(APNsTLSClientProtocol):
        APNS_SERVER = sandbox.address.host
        APNS_PORT = sandbox.address.port

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    client.pool.protocol_class = Local
    sends = (
        client.send_notification(
            NotificationRequest(token, {"aps": {"alert": "Hello"}}, push_type=PushType.ALERT)
        )
        for token in tokens
    )
    results: list[NotificationResult] = await asyncio.gather(*sends)
    client.pool.close()
    await asyncio.wait_for(lost.wait(), 10)
    return results


@pytest.mark.parametrize("protocols", [[], ["h2"]], ids=["no alpn", "h2"])
def test_aioapns_sends_through_it(sandbox: Sandbox, protocols: list[str]) -> None:
    names = ["gone", "malformed", "bad_topic", "too_many_requests", "internal_server_error"]
    accepted = [apns_token("accepted", serial) for serial in range(50)]
    tokens = accepted + [apns_token(name, 1) for name in names]

    results = run_apart(_send_with_aioapns(sandbox, tokens, protocols))

    assert [result.status for result in results[:50]] == ["200"] * 50
    assert [(result.status, result.description) for result in results[50:]] == [
        ("410", "Unregistered"),
        ("400", "BadDeviceToken"),
        ("400", "BadTopic"),
        ("429", "TooManyRequests"),
        ("500", "InternalServerError"),
    ]
    assert {token for token, _ in sandbox.control.accepted()} == set(accepted)
