"""FCM HTTP v1 as a provider."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from core.clock import steady_seconds, utc_now
from delivery.outcome import Outcome, Paused, Retry, Scope
from delivery.providers import fcm_payload
from delivery.providers.batch import Batch, reports_of, tells
from delivery.providers.fcm_outcome import UNAUTHENTICATED, classify
from delivery.providers.oauth import OAuthTokens
from delivery.providers.oauth_answer import AccessToken
from delivery.providers.undelivered import may_go_again, result_outcome
from delivery.push import Encoded, Push, Report, Unsendable
from delivery.transport import Answer, Endpoint, Fields, Request, Result, Transport, split_url


@dataclass(frozen=True, slots=True)
class _Batch(Batch):
    """Pushes with an access token.

    `renewed` says that it is a second one, got after the gateway refused the first.
    """

    token: AccessToken
    renewed: bool = False

    def authorization(self) -> Fields:
        """Return the header that carries the token."""
        return (("authorization", f"Bearer {self.token.value}"),)


class FcmProvider:
    """Sends to one Firebase project; implements `delivery.push.Provider`."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        project_id: str,
        tokens: OAuthTokens,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = transport
        origin, prefix = split_url(base_url)
        self._prefix = prefix.rstrip("/")
        self._project_id = project_id
        self._tokens = tokens
        self._clock = clock
        # Each request carries its own authority, so all projects may share connections.
        self._endpoint = Endpoint(origin, "fcm")

    def encode(self, push: Push) -> Encoded | Unsendable:
        """Build the request; the time left until the push expires is counted from now."""
        return fcm_payload.encode(push, self._project_id, self._clock())

    def send(self, pushes: Sequence[Encoded], timeout_seconds: float, report: Report) -> None:
        """Start all of `pushes` as soon as there is an access token."""
        batch = Batch(report, steady_seconds() + timeout_seconds)
        self._tokens.ask(partial(self._send_all, batch, list(pushes)))

    def unwritten(self) -> Collection[Report]:
        """Return whose pushes wait for a token, a connection or a stream."""
        return reports_of([*self._tokens.waiting, *self._transport.unwritten()])

    def withdraw(self, report: Report) -> None:
        """Take back the pushes of `report` that wait."""
        self._tokens.withdraw(tells(report))
        self._transport.withdraw(tells(report))

    def retire(self) -> None:
        """Keep the connections: all projects share them."""

    def _send_all(self, asked: Batch, pushes: list[Encoded], token: AccessToken | Outcome) -> None:
        if not isinstance(token, AccessToken):
            for push in pushes:
                asked.report(push, token)
            return
        batch = _Batch(asked.report, asked.deadline, token)
        authorization = batch.authorization()
        for push in pushes:
            self._submit(batch, authorization, push, 0)

    def _submit(self, batch: _Batch, authorization: Fields, push: Encoded, resends: int) -> None:
        timeout_seconds = batch.deadline - steady_seconds()
        if timeout_seconds <= 0:
            late = Retry("oauth_unavailable", Scope.PROJECT, counts=False)
            batch.report(push, late)
            return
        request = Request(
            self._endpoint,
            self._prefix + push.path,
            authorization + push.headers,
            push.varying,
            push.body,
            timeout_seconds,
        )
        self._transport.submit(request, partial(self._answered, batch, push, resends))

    def _answered(self, batch: _Batch, push: Encoded, resends: int, result: Result) -> None:
        if may_go_again(result, resends, batch.deadline):
            self._submit(batch, batch.authorization(), push, resends + 1)
            return
        if not isinstance(result, Answer):
            batch.report(push, result_outcome(result))
            return
        outcome = classify(result, self._clock())
        refused = isinstance(outcome, Paused) and outcome.reason == UNAUTHENTICATED
        if refused and not batch.renewed:
            self._tokens.renew(batch.token, partial(self._send_again, batch, push, resends))
        else:
            batch.report(push, outcome)

    def _send_again(
        self, batch: _Batch, push: Encoded, resends: int, token: AccessToken | Outcome
    ) -> None:
        if isinstance(token, AccessToken):
            again = replace(batch, token=token, renewed=True)
            self._submit(again, again.authorization(), push, resends)
        else:
            batch.report(push, token)
