"""Asking gateways whether they take credentials: over connections of its own, and no database."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.errors import CarillonError
from core.telemetry import log_event
from delivery.credential import Credential
from delivery.outcome import Outcome, Paused
from delivery.providers.probe_push import apns_probe, fcm_probe, verdict
from delivery.providers.registry import Endpoints, Providers
from delivery.push import Encoded, Provider
from delivery.transport import Transport
from delivery.transports import open_transport

_LOGGER = logging.getLogger(__name__)
_PUMP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Probed:
    """What a gateway says: it works, it is refused for a reason, or nobody can say now."""

    works: bool
    refusal: Paused | None = None


UNCLEAR = Probed(works=False)


@dataclass(frozen=True, slots=True)
class Prober:
    """Knows the way to the gateways. Always our own transport, whatever carries the pushes."""

    endpoints: Endpoints
    ca_file: Path | None
    proxy_url: str | None = field(default=None, repr=False)

    def probe(
        self, credentials: Sequence[Credential], timeout_seconds: float
    ) -> Mapping[int, Probed]:
        """Ask about all of `credentials` together; return what was said, by their ids.

        Access tokens are fetched anew: one that was given before would hide a revoked key.
        """
        transport = open_transport("http2", self.ca_file, proxy_url=self.proxy_url, connections=1)
        try:
            return _probe_all(transport, self.endpoints, credentials, timeout_seconds)
        finally:
            transport.close()


def _probe_all(
    transport: Transport,
    endpoints: Endpoints,
    credentials: Sequence[Credential],
    timeout_seconds: float,
) -> Mapping[int, Probed]:
    found: dict[int, Probed] = {}
    for credential in credentials:
        try:
            # Each with providers of its own: no token that another one was given is used.
            provider = Providers(transport, endpoints).for_credential(credential, "probe")
            _ask(provider, credential, timeout_seconds, found)
        except (CarillonError, ValueError, KeyError) as error:
            # Its file can not be used at all; when it was added it could.
            log_event(_LOGGER, "probe.defect", error=type(error).__name__)
    end = time.monotonic() + timeout_seconds
    while len(found) < len(credentials) and transport.in_flight() and time.monotonic() < end:
        transport.pump(_PUMP_SECONDS)
    return {one.id: found.get(one.id, UNCLEAR) for one in credentials}


def _ask(
    provider: Provider, credential: Credential, timeout_seconds: float, found: dict[int, Probed]
) -> None:
    push = _request(credential)
    provider.send([push], timeout_seconds, partial(_note, credential.id, found))


def _request(credential: Credential) -> Encoded:
    if credential.provider == "fcm":
        return fcm_probe(credential.project_id or credential.secret["project_id"])
    return apns_probe(credential.topic)


def _note(credential_id: int, found: dict[int, Probed], _push: Encoded, outcome: Outcome) -> None:
    said = verdict(outcome)
    if said is True:
        found[credential_id] = Probed(works=True)
    else:
        found[credential_id] = Probed(works=False, refusal=said or None)
