"""Access tokens for FCM: one per service account, shared, renewed early, never a stampede."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from core.clock import utc_now
from delivery.outcome import Outcome, Withdrawn
from delivery.providers.assertion import load_signer, sign_assertion
from delivery.providers.oauth_answer import AccessToken, read_token
from delivery.providers.token_cache import TokenCache
from delivery.transport import Endpoint, Request, Result, Transport, split_url

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TIMEOUT_SECONDS = 10.0
_FAILURE_HOLDS_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0
_LOOK_EVERY_SECONDS = 0.05

Use = Callable[[AccessToken | Outcome], None]


class OAuthTokens:
    """Hands out the access token of one service account.

    The token is fetched over the transport, so that a slow token endpoint holds up nobody else;
    who asks meanwhile waits in line and is served from within `pump`. Only where another worker
    is fetching the very first token does asking block, for at most two seconds. `waiting` is that
    line.
    """

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        cache: TokenCache | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = transport
        self._account = account
        self._signer = load_signer(account)
        self._cache = cache
        self._clock = clock
        self._key = account_key(account)
        self._token: AccessToken | None = None
        self.waiting: list[Use] = []
        self._fetching = False
        self._look_again_at = 0.0
        self._failure: Outcome | None = None
        self._failure_until = 0.0

    def ask(self, use: Use) -> None:
        """Call `use` with a token, or with what its absence means; now or while pumping."""
        token, now = self._token, self._clock().timestamp()
        if token is None or now >= token.usable_until:
            self._wait(use, rejected=None)
            return
        use(token)
        if now >= token.renew_at and not self._fetching:
            self._renew_early(now)

    def renew(self, rejected: AccessToken, use: Use) -> None:
        """Call `use` with another token than the one a gateway has just refused."""
        token = self._token
        if token is not None and token.value != rejected.value:
            use(token)
            return
        self._token = None
        self._wait(use, rejected=rejected.value)

    def withdraw(self, is_meant: Callable[[Use], bool]) -> None:
        """Take whoever is meant out of the line, and tell it so."""
        meant = [use for use in self.waiting if is_meant(use)]
        self.waiting = [use for use in self.waiting if not is_meant(use)]
        for use in meant:
            use(Withdrawn())

    def forgive(self) -> None:
        """Forget the last failure at once: whoever resumes a credential has mended its cause."""
        self._failure = None

    def _wait(self, use: Use, rejected: str | None) -> None:
        if self._failure is not None and time.monotonic() < self._failure_until:
            use(self._failure)
            return
        self.waiting.append(use)
        if not self._fetching:
            self._obtain(rejected)

    def _renew_early(self, now: float) -> None:
        if time.monotonic() < self._look_again_at:
            return
        self._look_again_at = time.monotonic() + _FAILURE_HOLDS_SECONDS
        shared = self._shared()
        if shared is not None and shared.renew_at > now:
            self._token = shared
        elif self._claim():
            self._fetch()

    def _obtain(self, rejected: str | None) -> None:
        patience_ends = time.monotonic() + _PATIENCE_SECONDS
        while True:
            shared = self._shared()
            if shared is not None and shared.value != rejected:
                self._settle(shared)
                return
            if self._claim() or time.monotonic() >= patience_ends:
                self._fetch()
                return
            time.sleep(_LOOK_EVERY_SECONDS)

    def _shared(self) -> AccessToken | None:
        text = self._cache.get(self._key) if self._cache else None
        token = AccessToken.from_text(text) if text else None
        fresh = token is not None and self._clock().timestamp() < token.usable_until
        return token if fresh else None

    def _claim(self) -> bool:
        return self._cache is None or self._cache.claim(self._key, _TIMEOUT_SECONDS)

    def _fetch(self) -> None:
        self._fetching = True
        assertion = sign_assertion(self._signer, self._account["client_email"], self._clock())
        form = {"grant_type": _GRANT, "assertion": assertion}
        origin, path = split_url(self._account["token_uri"])
        headers = (("content-type", "application/x-www-form-urlencoded"),)
        body = urlencode(form).encode()
        endpoint = Endpoint(origin, "oauth")
        request = Request(endpoint, path, headers, (), body, _TIMEOUT_SECONDS)
        self._transport.submit(request, self._fetched)

    def _fetched(self, result: Result) -> None:
        self._fetching = False
        now = self._clock()
        found = read_token(result, now)
        if isinstance(found, AccessToken) and self._cache:
            ttl_seconds = found.usable_until - now.timestamp()
            self._cache.put(self._key, found.to_text(), ttl_seconds)
        if self._cache:
            self._cache.release(self._key)
        self._settle(found)

    def _settle(self, found: AccessToken | Outcome) -> None:
        if isinstance(found, AccessToken):
            self._token, self._failure = found, None
        else:
            self._failure = found
            self._failure_until = time.monotonic() + _FAILURE_HOLDS_SECONDS
        waiting, self.waiting = self.waiting, []
        for use in waiting:
            use(found)


def account_key(account: Mapping[str, Any]) -> str:
    """Return the name of a service account's token in a cache.

    The private key is part of it: who knows only another account's name gets no token of it.
    """
    parts = (account[name] for name in ("client_email", "private_key", "token_uri"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
