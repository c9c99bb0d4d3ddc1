"""Pushes to FCM through firebase-admin's asynchronous sender.

Only its sending is used: its own repeating of 500 and 503 (at once, then after 1, 2 and 4 s,
whatever Retry-After says) is left out, since nothing may be sent twice behind the engine's back.
"""

import asyncio
import itertools
import re
import ssl
from collections.abc import MutableMapping
from typing import Any

import firebase_admin
import google.auth.credentials
from firebase_admin import exceptions, messaging
from firebase_admin._http_client import METRICS_HEADERS, GoogleAuthCredentialFlow
from firebase_admin._retry import HttpxRetry, HttpxRetryTransport

from delivery.sdk.fcm_message import to_message
from delivery.sdk.http_client import TRIP, classify, open_http
from delivery.sdk.trip import Trip, UnsupportedError
from delivery.transport import Endpoint, Request, Result

PATH = re.compile(r"/v1/projects/[^/?]+/messages:send")

_numbers = itertools.count(1)


class _Credentials(google.auth.credentials.Credentials):
    """The access token that comes with each request; nothing is fetched here."""

    def before_request(
        self, _request: Any, _method: str, _url: str, headers: MutableMapping[str, str]
    ) -> None:
        """Put the token of the present request into its headers."""
        sent = TRIP.get().request
        headers["authorization"] = dict(sent.headers + sent.varying)["authorization"]

    def refresh(self, _request: Any) -> None:
        """Do nothing: firebase-admin asks twice for another token when one is refused."""


class FcmClient:
    """Sends to the project that `path` names; implements `delivery.sdk.trip.Client`."""

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        context: ssl.SSLContext,
        connect_timeout_seconds: float,
    ) -> None:
        credentials = _Credentials()  # type: ignore[no-untyped-call]
        self._app = firebase_admin.initialize_app(
            credentials, {"projectId": path.split("/")[3]}, name=f"carillon {next(_numbers)}"
        )
        self._http = open_http(
            connect_timeout_seconds,
            headers=METRICS_HEADERS,
            auth=GoogleAuthCredentialFlow(credentials),
            transport=HttpxRetryTransport(HttpxRetry(max_retries=0), verify=context),
        )
        # There is no public way to say where the gateway is, nor whom to trust.
        service = messaging._get_messaging_service(self._app)  # noqa: SLF001
        service._fcm_url = endpoint.origin + path  # noqa: SLF001
        self._unused = service._async_client._async_client  # noqa: SLF001
        service._async_client._async_client = self._http  # noqa: SLF001
        service._async_client._timeout = self._http.timeout  # noqa: SLF001
        self._connected = False

    def is_connected(self) -> bool:
        """Tell whether there has been a connection."""
        return self._connected

    async def send(self, trip: Trip) -> Result:
        """Send one request."""
        message, is_dry_run = to_message(_checked(trip.request).body)
        TRIP.set(trip)
        error: BaseException | None
        try:
            batch = await messaging.send_each_async([message], is_dry_run, self._app)
            error = batch.responses[0].exception
        except exceptions.FirebaseError as raised:
            # It reads what is no answer of FCM's with little care.
            error = raised
        finally:
            self._connected = self._connected or trip.written
        if trip.answer is not None:
            return trip.answer
        cause = getattr(error, "cause", None) or error or LookupError("no answer")
        return classify(cause, trip, connected=self._connected)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._unused.aclose()
        # It starts an event loop to close the client that is closed already.
        await asyncio.to_thread(firebase_admin.delete_app, self._app)


def _checked(request: Request) -> Request:
    fields = request.headers + request.varying
    strange = {name for name, _ in fields} - {"authorization", "content-type"}
    if strange:
        raise UnsupportedError(f"firebase-admin has no place for the header {min(strange)}.")
    if len(dict(fields)) != len(fields) or "authorization" not in dict(fields):
        raise UnsupportedError("firebase-admin sends with one authorization each.")
    return request
