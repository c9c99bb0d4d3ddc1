"""FCM HTTP v1 as a provider."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from core.clock import utc_now
from delivery.outcome import Outcome, Paused, Retry, Scope
from delivery.providers import fcm_payload
from delivery.providers.fcm_outcome import UNAUTHENTICATED, classify
from delivery.providers.oauth import OAuthTokens
from delivery.providers.oauth_answer import AccessToken
from delivery.providers.undelivered import may_go_again, result_outcome
from delivery.push import Encoded, Push, Report, Unsendable
from delivery.transport import Answer, Endpoint, Request, Result, Transport, split_url


@dataclass(frozen=True, slots=True)
class _Sending:
    """One push under way; `token` is the access token it was sent with."""

    push: Encoded
    report: Report
    deadline: float
    token: AccessToken
    renewed: bool = False
    resends: int = 0


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
        deadline = time.monotonic() + timeout_seconds
        self._tokens.ask(partial(self._send_all, list(pushes), deadline, report))

    def retire(self) -> None:
        """Keep the connections: all projects share them."""

    def _send_all(
        self, pushes: list[Encoded], deadline: float, report: Report, token: AccessToken | Outcome
    ) -> None:
        for push in pushes:
            if isinstance(token, AccessToken):
                self._submit(_Sending(push, report, deadline, token))
            else:
                report(push, token)

    def _submit(self, sending: _Sending) -> None:
        timeout_seconds = sending.deadline - time.monotonic()
        if timeout_seconds <= 0:
            late = Retry("oauth_unavailable", Scope.PROJECT, counts=False)
            sending.report(sending.push, late)
            return
        headers = (("authorization", f"Bearer {sending.token.value}"),)
        push = sending.push
        path = self._prefix + push.path
        request = Request(
            self._endpoint, path, headers + push.headers, push.varying, push.body, timeout_seconds
        )
        self._transport.submit(request, partial(self._answered, sending))

    def _answered(self, sending: _Sending, result: Result) -> None:
        if may_go_again(result, sending.resends, sending.deadline):
            self._submit(replace(sending, resends=sending.resends + 1))
            return
        if not isinstance(result, Answer):
            sending.report(sending.push, result_outcome(result))
            return
        outcome = classify(result, self._clock())
        refused = isinstance(outcome, Paused) and outcome.reason == UNAUTHENTICATED
        if refused and not sending.renewed:
            self._tokens.renew(sending.token, partial(self._send_again, sending))
        else:
            sending.report(sending.push, outcome)

    def _send_again(self, sending: _Sending, token: AccessToken | Outcome) -> None:
        if isinstance(token, AccessToken):
            self._submit(replace(sending, token=token, renewed=True))
        else:
            sending.report(sending.push, token)
