"""A provider under test with the tokens and pushes that fit it."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from core.clock import utc_now
from delivery.credential import Credential
from delivery.outcome import Outcome
from delivery.providers.registry import Providers
from delivery.push import Encoded, Provider, Push
from delivery.sandbox.credentials import make_p12
from delivery.sandbox.tokens import apns_token, fcm_token
from delivery.transport import Transport
from tests.delivery.gathering import drain
from tests.delivery.providers.pushes import apns_push, fcm_push
from tests.fixtures.sandbox import PROJECT, TOPIC, Sandbox


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends one push per token and gathers the outcomes in the order of the tokens."""

    provider: Provider
    transport: Transport
    mint: Callable[[str, int], str]
    template: Push

    def encode(self, token: str, **changes: Any) -> Encoded:
        """Encode a push to a token; it has to be sendable."""
        expires_at = utc_now() + timedelta(hours=1)
        push = replace(
            self.template, id=str(uuid4()), token=token, expires_at=expires_at, **changes
        )
        encoded = self.provider.encode(push)
        assert isinstance(encoded, Encoded), encoded
        return encoded

    def start(
        self, tokens: Sequence[str], seconds: float = 60.0, **changes: Any
    ) -> list[tuple[str, Outcome]]:
        """Start sending; the list fills while somebody pumps."""
        gathered: list[tuple[str, Outcome]] = []
        pushes = [self.encode(token, **changes) for token in tokens]
        self.provider.send(pushes, seconds, lambda one, got: gathered.append((one.push.token, got)))
        return gathered

    def send(self, tokens: Sequence[str], seconds: float = 60.0, **changes: Any) -> list[Outcome]:
        """Send and wait; return the outcomes in the order of the tokens."""
        gathered = self.start(tokens, seconds, **changes)
        drain(self.transport)
        assert len(gathered) == len(tokens)
        by_token = dict(gathered)
        return [by_token[token] for token in tokens]

    def send_one(self, outcome: str = "accepted", seconds: float = 60.0, **changes: Any) -> Outcome:
        """Send one push to a token that chooses an outcome."""
        return self.send([self.mint(outcome, 1)], seconds, **changes)[0]


def credential(provider: str, kind: str, secret: dict[str, Any], number: int = 1) -> Credential:
    """A credential as a worker has it."""
    return Credential(
        id=number,
        app_id=1,
        provider=provider,
        kind=kind,
        environment="production" if provider == "apns" else None,
        topic=TOPIC if provider == "apns" else None,
        project_id=PROJECT if provider == "fcm" else None,
        secret=secret,
    )


def fcm_sender(providers: Providers, transport: Transport, sandbox: Sandbox) -> Sender:
    """FCM under the sandbox's service account."""
    made = credential("fcm", "service_account", dict(sandbox.account), 1)
    return Sender(providers.for_credential(made, 1), transport, fcm_token, fcm_push())


def apns_sender(providers: Providers, transport: Transport, sandbox: Sandbox) -> Sender:
    """APNs under the sandbox's signing key."""
    key = sandbox.key
    secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
    made = credential("apns", "token", secret, 2)
    return Sender(providers.for_credential(made, 1), transport, apns_token, apns_push())


def certificate_sender(providers: Providers, transport: Transport, sandbox: Sandbox) -> Sender:
    """APNs under a certificate of the sandbox's authority."""
    sandbox.control.register_certificate_topics(TOPIC)
    p12 = base64.b64encode(make_p12(sandbox.address.ca.parent, TOPIC, "pass")).decode()
    made = credential("apns", "certificate", {"p12": p12, "password": "pass"}, 3)
    return Sender(providers.for_credential(made, 1), transport, apns_token, apns_push())
