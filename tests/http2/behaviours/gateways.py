"""Providers on a transport, against the sandbox's rules behind the fault server."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import jwt

from bench.faults.gateway import GatewayRules
from bench.faults.record import RequestEntry
from bench.faults.script import Script
from bench.faults.server import FaultServer
from core.clock import utc_now
from delivery.outcome import Outcome
from delivery.providers.registry import Endpoints, Providers
from delivery.sandbox.credentials import (
    ApnsSigningKey,
    certificate_half,
    make_p12,
    service_account_half,
)
from delivery.sandbox.tokens import apns_token, fcm_token
from delivery.transport import Answer, Endpoint, Request, Result, Transport
from tests.delivery.gathering import drain
from tests.delivery.providers.pushes import apns_push, fcm_push
from tests.delivery.providers.senders import Sender, credential
from tests.http2.behaviours.driving import TOPIC

PROJECT = "carillon-test"
ALERT = b'{"aps":{"alert":"Hello"}}'


@dataclass(slots=True)
class Gateways:
    """One server that plays every gateway, with a credential of each provider registered."""

    server: FaultServer
    rules: GatewayRules
    transport: Transport
    key: ApnsSigningKey
    account: dict[str, str]
    clock: Callable[[], datetime] = utc_now
    _serials: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.register(self.key)
        half = service_account_half(self.account)
        self.server.call(lambda: self.rules.gateway.registry.add(half))

    def register(self, key: ApnsSigningKey) -> None:
        """Make a signing key known for the topic of the tests."""
        half = key.public_half((TOPIC,))
        self.server.call(lambda: self.rules.gateway.registry.add(half))

    def change(self, **changes: object) -> None:
        """Change the gateways' profile."""
        self.server.call(lambda: self.rules.change(**changes))

    def now(self) -> datetime:
        """Return the providers' time, which a test may have moved."""
        return self.clock()

    def providers(self) -> Providers:
        """A worker's providers, all against the one server."""
        url = self.server.url
        return Providers(self.transport, Endpoints(url, url, url), clock=self.now)

    def apns(self, key: ApnsSigningKey | None = None, number: int = 2) -> Sender:
        """APNs under a signing key."""
        key = key or self.key
        secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
        made = credential("apns", "token", secret, number)
        provider = self.providers().for_credential(made, 1)
        return Sender(provider, self.transport, apns_token, apns_push())

    def apns_by_certificate(self) -> Sender:
        """APNs under a certificate of the server's authority."""
        half = certificate_half(TOPIC)
        self.server.call(lambda: self.rules.gateway.registry.add(half))
        p12 = base64.b64encode(make_p12(self.server.files.folder, TOPIC, "pass")).decode()
        made = credential("apns", "certificate", {"p12": p12, "password": "pass"}, 3)
        provider = self.providers().for_credential(made, 1)
        return Sender(provider, self.transport, apns_token, apns_push())

    def fcm(self) -> Sender:
        """FCM under a service account."""
        made = credential("fcm", "service_account", dict(self.account), 1)
        provider = self.providers().for_credential(made, 1)
        return Sender(provider, self.transport, fcm_token, fcm_push())

    def tokens(self, sender: Sender, number: int, outcome: str = "accepted") -> list[str]:
        """Mint tokens that nobody has used yet."""
        return [sender.mint(outcome, next(self._serials)) for _ in range(number)]

    def send(self, sender: Sender, number: int, outcome: str = "accepted") -> list[Outcome]:
        """Send to fresh tokens of one outcome, and let the record judge."""
        outcomes = sender.send(self.tokens(sender, number, outcome))
        self.judge()
        return outcomes

    def force(self, provider: str, outcome: str = "") -> None:
        """Let every push of a provider have one outcome; without one, its token's again."""
        self.change(forced=[{"provider": provider, "outcome": outcome}] if outcome else [])

    def move_clock(self, seconds: float) -> None:
        """Move the providers' clock alone."""
        self.clock = lambda: utc_now() + timedelta(seconds=seconds)

    def signed(self, key: ApnsSigningKey | None = None, **claims: object) -> str:
        """Sign a provider token; claims replace what is right."""
        key = key or self.key
        own = {"iss": key.team_id, "iat": int(utc_now().timestamp())}
        return jwt.encode({**own, **claims}, key.p8, "ES256", {"kid": key.key_id})

    def ask(self, authorization: str, body: bytes = ALERT, **changes: str) -> Answer:
        """Send a push that no provider would send; "" leaves a header out."""
        own = {"apns-topic": TOPIC, "apns-push-type": "alert", "authorization": authorization}
        given = {name.replace("_", "-"): value for name, value in changes.items()}
        headers = tuple((name, value) for name, value in {**own, **given}.items() if value)
        path = f"/3/device/{apns_token('accepted', next(self._serials))}"
        endpoint, results = Endpoint(self.server.url, "by hand"), list[Result]()
        request = Request(endpoint, path, headers, (), body, 10.0)
        self.transport.submit(request, results.append)
        drain(self.transport)
        (result,) = results
        assert isinstance(result, Answer), result
        return result

    def act(self, script: Script) -> None:
        """Let the server misbehave from now on."""
        self.server.script = script

    def pushes(self) -> list[RequestEntry]:
        """Return the pushes that the server saw, without questions for access tokens."""
        return [entry for entry in self.server.record.requests if entry.path != "/token"]

    def judge(self) -> None:
        """Fail when the sender broke HTTP/2, sent something twice or a script failed."""
        assert not self.server.loop.errors, self.server.loop.errors
        assert self.server.record.violations() == []
        assert self.server.record.duplicates == 0


def reasons(outcomes: Sequence[Outcome]) -> set[str]:
    """Return the reasons of outcomes."""
    return {str(getattr(one, "reason", "")) for one in outcomes}
