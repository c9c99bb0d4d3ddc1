"""Packing answers with gzip for whoever takes it."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send


def takes_gzip(header: str) -> bool:
    """Tell whether an `Accept-Encoding` names gzip and does not forbid it (RFC 9110, 12.5.3)."""
    for part in header.lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        if name == "gzip":
            return not any(_is_nothing(one) for one in parameters)
    return False


def _is_nothing(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    try:
        return name.strip() == "q" and float(value) == 0
    except ValueError:
        return False


class Packing(GZipMiddleware):
    """Packs the answers of those who take gzip; the layer below asks for the word alone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            given = HTTPConnection(scope).headers.get("accept-encoding", "")
            if "gzip" in given and not takes_gzip(given):
                await self.app(scope, receive, send)
                return
        await super().__call__(scope, receive, send)
