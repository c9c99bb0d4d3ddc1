"""Requests that no SDK is for, such as those to the token endpoint, through httpx."""

from contextvars import ContextVar
from typing import Any

import httpx

from delivery.sdk.trip import Trip
from delivery.sdk.trust import failure
from delivery.transport import Answer, Result

TRIP: ContextVar[Trip] = ContextVar("trip")


async def _follow(request: httpx.Request) -> None:
    """Note in the trip when its last bytes may have left.

    https://www.encode.io/httpcore/extensions/#trace
    """
    trip = TRIP.get()
    opened: list[Any] = []

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event.endswith(".send_request_body.started"):
            trip.written = True
        elif event == "connection.connect_tcp.complete":
            opened.append(info["return_value"])
        elif event == "connection.start_tls.failed" and opened:
            # httpcore leaves it open when its caller gives up meanwhile.
            await opened[-1].aclose()

    request.extensions["trace"] = trace


async def _keep(response: httpx.Response) -> None:
    """Keep the answer in the trip."""
    body = await response.aread()
    TRIP.get().answer = Answer(response.status_code, dict(response.headers), body)


def open_http(connect_timeout_seconds: float, **options: Any) -> httpx.AsyncClient:
    """Return a client that tells the `TRIP` of its caller's context how far a request has come.

    It has no time limit but the one for connecting: in httpx, one request whose reading times
    out takes all others on its connection with it.
    """
    return httpx.AsyncClient(
        http2=True,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=connect_timeout_seconds),
        event_hooks={"request": [_follow], "response": [_keep]},
        **options,
    )


class HttpClient:
    """Sends over HTTP/2 or HTTP/1.1, as the server likes; implements `delivery.sdk.trip.Client`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._connected = False

    def is_connected(self) -> bool:
        """Tell whether there has been a connection."""
        return self._connected

    async def send(self, trip: Trip) -> Result:
        """Send one request."""
        TRIP.set(trip)
        request = trip.request
        headers = request.headers + request.varying
        url = request.endpoint.origin + request.path
        try:
            await self._http.post(url, headers=list(headers), content=request.body)
        except Exception as error:  # noqa: BLE001 (errors of TLS and h2 come through as they are)
            return failure(error, written=trip.written, connected=self._connected)
        finally:
            self._connected = self._connected or trip.written
        return trip.answer or failure(LookupError("no answer"), written=True, connected=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
