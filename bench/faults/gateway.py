"""The sandbox's gateways behind the fault server: their rules, on connections that misbehave."""

from pathlib import Path

from bench.faults.request import TOKEN_PATH, FaultRequest
from delivery.sandbox.answer import Reply, Request
from delivery.sandbox.apns_gateway import answer_apns
from delivery.sandbox.connections import Connection
from delivery.sandbox.fcm_gateway import answer_fcm, answer_token
from delivery.sandbox.gateway import Gateway
from delivery.sandbox.patience import has_lost_patience, hung_up, lose_patience
from delivery.sandbox.profile import Profile, change_profile

# Beyond the slowest answer, a connection that was given up stays open for so long.
_LEAVE_SECONDS = 0.05


class GatewayRules:
    """Answers as the sandbox does: tokens choose outcomes, credentials are checked.

    `answer` fits a script's `arrived`. All of it runs on the server's thread, so what a test
    changes goes through `FaultServer.call`.
    """

    def __init__(
        self, folder: Path, profile: Profile | None = None, *, certificate: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.gateway = Gateway(folder, profile or Profile())
        self._certificate = certificate
        self._connections: dict[int, Connection] = {}

    def close(self) -> None:
        """Close the gateways' own record; after the server."""
        self.gateway.record.close()

    def change(self, **changes: object) -> None:
        """Change these fields of the profile."""
        self.gateway.profile = change_profile(self.gateway.profile, changes)

    def answer(self, request: FaultRequest) -> None:
        """Answer one request now, later or never."""
        record = request.connection.record
        reply = self._reply(request)
        label = f"{reply.answer.status} {reply.answer.label}"
        if request.entry.path == TOKEN_PATH:
            record.token_calls += 1
        if reply.hangs:
            return
        if reply.hangs_up:
            # What came before is answered; this request and all later ones are not processed.
            request.connection.goaway(request.stream - 2)
            leave_seconds = self.gateway.profile.slow_seconds + _LEAVE_SECONDS
            request.connection.loop.later(leave_seconds, request.connection.close)
            return
        answer = reply.answer

        def send() -> None:
            record.labels[label] += 1
            request.answer(answer.status, answer.body, list(answer.headers))

        if reply.delay_seconds:
            request.connection.loop.later(reply.delay_seconds, send)
        else:
            send()

    def _reply(self, request: FaultRequest) -> Reply:
        path, entry = request.entry.path, request.entry
        pseudo = entry.headers
        fields = tuple((name, value) for name, value in pseudo.items() if name[:1] != ":")
        if "host" not in pseudo:
            fields += (("host", pseudo.get(":authority", "")),)
        asked = Request(pseudo.get(":method", ""), path, fields, bytes(request.body))
        if path == TOKEN_PATH:
            return answer_token(self.gateway, asked)
        provider = "fcm" if path.startswith("/v1/") else "apns"
        number = request.connection.number
        connection = self._connections.setdefault(number, Connection())
        if has_lost_patience(self.gateway, connection):
            return hung_up(self.gateway, provider)
        if provider == "fcm":
            reply = answer_fcm(self.gateway, asked)
        else:
            reply = answer_apns(self.gateway, asked, connection, certificate=self._certificate)
        return lose_patience(self.gateway, connection, reply)
