"""Asking gateways whether paused credentials work again: by itself, and before one is resumed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from core.errors import CarillonError
from core.queue import LANES, Nudger
from core.secrets import SecretBox
from core.settings import Settings
from core.telemetry import log_event
from delivery.credential import Credential
from delivery.credentials import standing_repository
from delivery.credentials.opening import open_credential
from delivery.credentials.probing import Probed, Prober
from delivery.credentials.standing_repository import Due
from delivery.providers.registry import Endpoints

_LOGGER = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 10.0
_LEASE_SECONDS = 60.0
_AT_ONCE = 20
_WORKS = "The gateway takes it again."


def prober_of(settings: Settings) -> Prober:
    """Return what asks the gateways that a process is set to."""
    proxy = settings.gateway_proxy_url
    proxy_url = (proxy.get_secret_value() or None) if proxy else None
    return Prober(Endpoints.from_settings(settings), settings.gateway_ca_file, proxy_url)


@dataclass(frozen=True, slots=True)
class ProbeDuty:
    """Probes what is due; any number of processes may, for rows are claimed with SKIP LOCKED."""

    database: Engine
    box: SecretBox
    prober: Prober
    nudger: Nudger

    def run(self) -> None:
        """Probe the paused credentials that are due, all together, and resume those that work."""
        with self.database.begin() as connection:
            due = standing_repository.claim_due(
                connection, lease_seconds=_LEASE_SECONDS, limit=_AT_ONCE
            )
        if not due:
            return
        # Between the transactions: nothing is locked while a gateway takes its time.
        said = self.prober.probe(self._opened(due), _TIMEOUT_SECONDS)
        resumed = [one for one in due if one.id in said and self._settle(one, said[one.id])]
        for lane in LANES if resumed else ():
            self.nudger.nudge(lane)

    def _opened(self, due: Sequence[Due]) -> list[Credential]:
        opened = []
        for one in due:
            try:
                opened.append(open_credential(self.database, self.box, one.app_id, one.id))
            except CarillonError as error:
                with self.database.begin() as connection:
                    words = "credential_unusable", error.detail
                    standing_repository.probe_later(connection, one, *words)
        return opened

    def _settle(self, due: Due, said: Probed) -> bool:
        with self.database.begin() as connection:
            is_resumed = _settled(connection, due, said)
        log_event(
            _LOGGER,
            "credential.probed",
            credential_id=due.public_id,
            works=said.works,
            reason=said.refusal.reason if said.refusal else None,
        )
        return is_resumed


def _settled(connection: Connection, due: Due, said: Probed) -> bool:
    if said.works:
        return standing_repository.resume_probed(connection, due, _WORKS)
    if said.refusal is None:
        standing_repository.probe_later(connection, due)
    else:
        words = said.refusal.reason[:500], said.refusal.words.replace("\0", "")[:500]
        standing_repository.probe_later(connection, due, *words)
    return False
