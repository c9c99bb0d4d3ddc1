"""APNs as a provider, with a signing key or a certificate."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from core.clock import steady_seconds, utc_now
from delivery.outcome import Accepted, Outcome, Paused, Rejected
from delivery.providers import apns_payload
from delivery.providers.apns_outcome import (
    ABOUT_TOPIC,
    NEEDS_NEW_CONNECTION,
    classify,
    connection_fault,
    refused_again,
)
from delivery.providers.batch import Batch, reports_of, tells
from delivery.providers.certificate import ClientCertificate
from delivery.providers.provider_token import issued_at, provider_token
from delivery.providers.undelivered import may_go_again, result_outcome
from delivery.push import Encoded, Push, Report, Unsendable
from delivery.transport import (
    Answer,
    Endpoint,
    Fields,
    NotProcessed,
    Request,
    Result,
    Transport,
    split_url,
)

_ACCEPTED = Accepted()
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A .p8 file with the ids Apple gave it."""

    p8: str
    key_id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class ApnsAccount:
    """Who pushes where: `name` tells the connections of credentials apart."""

    name: str
    base_url: str
    topic: str | None
    secret: SigningKey | ClientCertificate


@dataclass(frozen=True, slots=True)
class _Batch(Batch):
    """Pushes with one provider token."""

    authorization: Fields


class ApnsProvider:
    """Sends under one credential; implements `delivery.push.Provider`.

    Some faults bind a connection rather than a push. After one of them the next pushes go over
    connections of a new generation; if a generation never got anything through, a new one is no
    cure and the credential pauses.
    """

    def __init__(
        self,
        transport: Transport,
        account: ApnsAccount,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = transport
        self._account = account
        self._clock = clock
        self._origin, prefix = split_url(account.base_url)
        self._prefix = prefix.rstrip("/")
        self._generation = 0
        self._endpoint = self._new_endpoint()
        self._proven = True
        self._pause, self._renew_after = 1.0, 0.0
        self._token: tuple[int, str] | None = None

    def encode(self, push: Push) -> Encoded | Unsendable:
        """Build the request; pure."""
        return apns_payload.encode(push, self._account.topic)

    def send(self, pushes: Sequence[Encoded], timeout_seconds: float, report: Report) -> None:
        """Start all of `pushes`."""
        batch = _Batch(report, steady_seconds() + timeout_seconds, self._authorization())
        for push in pushes:
            self._submit(batch, push, 0)

    def _submit(self, batch: _Batch, push: Encoded, resends: int) -> None:
        request = Request(
            self._endpoint,
            self._prefix + push.path,
            push.headers,
            batch.authorization + push.varying,
            push.body,
            max(0.001, batch.deadline - steady_seconds()),
        )
        done = partial(self._answered, batch, push, resends, self._generation)
        self._transport.submit(request, done)

    def _authorization(self) -> Fields:
        secret = self._account.secret
        if isinstance(secret, ClientCertificate):
            return ()
        now = self._clock()
        slot = issued_at(now)
        if self._token is None or self._token[0] != slot:
            self._token = slot, provider_token(secret.p8, secret.key_id, secret.team_id, now)
        return (("authorization", f"bearer {self._token[1]}"),)

    def _new_endpoint(self) -> Endpoint:
        binding = f"apns {self._account.name} {self._generation}"
        secret = self._account.secret
        if isinstance(secret, ClientCertificate):
            return Endpoint(self._origin, binding, secret.certificate, secret.private_key)
        return Endpoint(self._origin, binding)

    def unwritten(self) -> Collection[Report]:
        """Return whose pushes wait for a connection or a stream."""
        return reports_of(self._transport.unwritten())

    def withdraw(self, report: Report) -> None:
        """Take back the pushes of `report` that wait."""
        self._transport.withdraw(tells(report))

    def retire(self) -> None:
        """Let the connections end as soon as they carry nothing."""
        self._transport.retire(self._endpoint)

    def _answered(
        self, batch: _Batch, push: Encoded, resends: int, generation: int, result: Result
    ) -> None:
        if isinstance(result, Answer):
            outcome = self._judge(push, generation, classify(result, self._clock()))
            # Apple's name for a push is the one that we gave it.
            batch.report(push, Accepted(push.push.id) if outcome == _ACCEPTED else outcome)
            return
        fault = connection_fault(result.debug) if isinstance(result, NotProcessed) else None
        if fault is None and may_go_again(result, resends, batch.deadline):
            self._submit(batch, push, resends + 1)
        else:
            batch.report(push, fault or result_outcome(result))

    def _judge(self, push: Encoded, generation: int, outcome: Outcome) -> Outcome:
        reason = getattr(outcome, "reason", "")
        if reason in NEEDS_NEW_CONNECTION:
            return self._renew_connection(generation, reason) or outcome
        if generation == self._generation:
            self._proven = True
        own_topic = push.push.topic is not None and push.push.topic != self._account.topic
        if isinstance(outcome, Paused) and reason in ABOUT_TOPIC and own_topic:
            # A device that names a topic of its own must not stop everybody else's pushes.
            return Rejected(reason, outcome.words, suspect=True)
        return outcome

    def _renew_connection(self, generation: int, reason: str) -> Paused | None:
        now = steady_seconds()
        if generation != self._generation:
            return None
        fault = None if self._proven else refused_again(reason)
        if now < self._renew_after:
            return fault
        # A gateway takes frequent new connections for an attack.
        calm = now - self._renew_after > _LONGEST_PAUSE_SECONDS
        self._pause = 1.0 if calm else min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        self._renew_after = now + self._pause
        self.retire()
        self._generation += 1
        self._endpoint = self._new_endpoint()
        self._proven = False
        return fault
