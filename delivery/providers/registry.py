"""Providers by credential, made once per process and version of a credential."""

import base64
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

from core.clock import utc_now
from core.settings import Settings
from delivery.credential import Credential
from delivery.providers.apns import ApnsAccount, ApnsProvider, SigningKey
from delivery.providers.certificate import ClientCertificate, unpack
from delivery.providers.fcm import FcmProvider
from delivery.providers.oauth import OAuthTokens, account_key
from delivery.providers.token_cache import TokenCache
from delivery.push import Provider
from delivery.transport import Transport


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the gateways are; `apns_certificate_url` replaces both others for certificates."""

    fcm_url: str
    apns_production_url: str
    apns_development_url: str
    apns_certificate_url: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "Endpoints":
        """Return the endpoints that a process is set to."""
        return cls(
            settings.fcm_url,
            settings.apns_production_url,
            settings.apns_development_url,
            settings.apns_certificate_url,
        )

    def apns(self, environment: str | None, *, certificate: bool) -> str:
        """Return the gateway of an environment for a way of authentication."""
        if certificate and self.apns_certificate_url:
            return self.apns_certificate_url
        development = environment == "development"
        return self.apns_development_url if development else self.apns_production_url


class Providers:
    """Makes and keeps the providers of a worker process, all on one transport."""

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        token_cache: TokenCache | None = None,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._token_cache = token_cache
        self._clock = clock
        self._made: dict[int, tuple[Hashable, Provider]] = {}
        self._tokens: dict[str, OAuthTokens] = {}

    def for_credential(self, credential: Credential, version: Hashable) -> Provider:
        """Return the provider of a credential; another `version` replaces the one before."""
        made = self._made.get(credential.id)
        if made is None or made[0] != version:
            if made is not None:
                made[1].retire()
            made = version, self._make(credential, version)
            self._made[credential.id] = made
        return made[1]

    def _make(self, credential: Credential, version: Hashable) -> Provider:
        if credential.provider == "fcm":
            return self._fcm(credential)
        account = ApnsAccount(
            f"{credential.id} {version}",
            self._endpoints.apns(
                credential.environment, certificate=credential.kind == "certificate"
            ),
            credential.topic,
            _apns_secret(credential),
        )
        return ApnsProvider(self._transport, account, clock=self._clock)

    def _fcm(self, credential: Credential) -> FcmProvider:
        account = credential.secret
        key = account_key(account)
        if key not in self._tokens:
            self._tokens[key] = OAuthTokens(
                self._transport, account, self._token_cache, self._clock
            )
        self._tokens[key].forgive()
        return FcmProvider(
            self._transport,
            self._endpoints.fcm_url,
            credential.project_id or account["project_id"],
            self._tokens[key],
            clock=self._clock,
        )


def _apns_secret(credential: Credential) -> SigningKey | ClientCertificate:
    secret = credential.secret
    if credential.kind == "certificate":
        return unpack(base64.b64decode(secret["p12"]), secret["password"])[0]
    return SigningKey(secret["p8"], secret["key_id"], secret["team_id"])
