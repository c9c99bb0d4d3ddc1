"""Requests that no SDK is for, such as those to the token endpoint, through httpx."""

from contextvars import ContextVar
from typing import Any

import httpx

from delivery.sdk.gate import Gate
from delivery.sdk.trip import Trip
from delivery.sdk.trust import failure
from delivery.transport import Ambiguous, Answer, NotProcessed, Result

TRIP: ContextVar[Trip] = ContextVar("trip")
_FAILURES = {"connection.connect_tcp.failed", "connection.start_tls.failed"}


class _Follower:
    """Notes in the trip when its last bytes may have left, and keeps to the gate of its client.

    https://www.encode.io/httpcore/extensions/#trace
    """

    def __init__(self) -> None:
        self._gate = Gate()

    async def follow(self, request: httpx.Request) -> None:
        trip = TRIP.get()
        opened: list[Any] = []

        async def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith(".send_request_body.started"):
                trip.written = True
            elif event == "connection.connect_tcp.started":
                self._gate.check()
            elif event == "connection.connect_tcp.complete":
                opened.append(info["return_value"])
            elif event == "connection.start_tls.complete":
                self._gate.succeeded()
            elif event in _FAILURES:
                await self._failed(info["exception"], opened)

        request.extensions["trace"] = trace

    async def _failed(self, error: BaseException, opened: list[Any]) -> None:
        if isinstance(error, Exception):
            self._gate.failed(error)
        for stream in opened:
            # httpcore leaves it open when its caller gives up while shaking hands.
            await stream.aclose()


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
        event_hooks={"request": [_Follower().follow], "response": [_keep]},
        **options,
    )


def classify(error: BaseException, trip: Trip, *, connected: bool) -> NotProcessed | Ambiguous:
    """Classify what ended in an error of httpx; `connected` tells of the client, not the trip."""
    is_about_connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    return failure(error, written=trip.written, connected=connected and not is_about_connecting)


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
            return classify(error, trip, connected=self._connected)
        finally:
            self._connected = self._connected or trip.written
        return trip.answer or failure(LookupError("no answer"), written=True, connected=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
