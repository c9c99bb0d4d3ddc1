"""Who is asking: the values behind a key, and what its scopes let it do."""

from dataclasses import dataclass

OPERATOR = "operator"
SCOPES = (
    "messages:send",
    "messages:read",
    "devices:write",
    "people:read",
    "people:write",
    "events:write",
    "segments:write",
    "campaigns:write",
    "stats:read",
    "admin",
)


@dataclass(frozen=True, slots=True)
class App:
    """The app a request works in."""

    id: int
    public_id: str


@dataclass(frozen=True, slots=True)
class Principal:
    """The key behind a request. `app` is the key's own app, or the one an operator named."""

    kind: str  # admin, server, client
    key_id: int
    key_public_id: str
    scopes: frozenset[str]
    app: App | None

    @property
    def is_operator(self) -> bool:
        """Tell whether this key reaches every app and may create some."""
        return self.kind == "admin" and OPERATOR in self.scopes

    def holds(self, scope: str) -> bool:
        """Tell whether this key may do what `scope` names; `admin` covers all of one app."""
        return self.kind == "admin" or scope in self.scopes or "admin" in self.scopes
