"""What a gateway remembers of one connection, and the provider token rules that hang on it."""

import asyncio
from dataclasses import dataclass, field

from delivery.sandbox.provider_token import ProviderToken

_SWAP_SECONDS = 20 * 60


@dataclass(slots=True)
class Connection:
    """One TLS connection, known by the address of its client."""

    closed: asyncio.Event = field(default_factory=asyncio.Event)
    token: ProviderToken | None = None
    wedged: bool = False
    errors: int = 0  # of the client, weighted

    def refusal_of(self, token: ProviderToken) -> str | None:
        """Name the reason for which this connection refuses a valid provider token.

        The first token binds the connection to its team and key. A further token of that key
        must have been issued at least 20 minutes away from the one in use; issue times are
        compared, so a sender that renews on a fixed schedule passes on any connection.
        """
        known = self.token
        if known is None or known.text == token.text:
            self.token = token
            return None
        if token.team_id != known.team_id:
            return "InvalidProviderToken"
        if token.key_id != known.key_id:
            return "UnrelatedKeyIdInToken"
        if abs(token.issued_at - known.issued_at) < _SWAP_SECONDS:
            return "TooManyProviderTokenUpdates"
        self.token = token
        return None
