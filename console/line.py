"""The line to the API: one request out, JSON or an error in words back. Knows no resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from console.errors import ApiAwayError, ApiRefusedError, ApiSlowError, ApiStrangeError, Fault

TIMEOUT_SECONDS = 5.0
# A client of HTTP takes these steps itself, unless they are written so.
_DOTS = {".": "%2E", "..": "%2E%2E"}


@dataclass(frozen=True, slots=True)
class Access:
    """What a person signs in with; `app_id` is empty when the key belongs to one app."""

    key: str = field(repr=False)
    app_id: str = ""


class Line:
    """One person's line to one API; `transport` may be shared by many lines."""

    def __init__(
        self, api_url: str, access: Access, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {access.key}"}
        if access.app_id:
            headers["Carillon-App"] = access.app_id
        self._http = httpx.Client(
            base_url=api_url,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,
        )

    def get(self, path: str, **query: str | int | None) -> Any:
        """Return what stands at `path`; queries that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=given)

    def get_tagged(self, path: str) -> tuple[Any, str]:
        """Return what stands at `path`, with the entity tag that guards a change of it."""
        response = self._send("GET", path)
        return _json(response), response.headers.get("ETag", "")

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        once: str | None = None,
        timeout_seconds: float | None = None,
    ) -> Any:
        """Post `body`; with `once`, an Idempotency-Key, a repetition has no second effect."""
        headers = {"Idempotency-Key": once} if once else {}
        patience = httpx.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds
        return self._ask("POST", path, json=body, headers=headers, timeout=patience)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change what stands at `path`."""
        return self._ask("PATCH", path, json=body)

    def put(
        self, path: str, body: Mapping[str, Any] | None = None, *, match: str | None = None
    ) -> Any:
        """Put `body` at `path`, if its tag is still `match`; a repetition changes nothing."""
        return self._ask("PUT", path, json=body, headers={"If-Match": match} if match else {})

    def delete(self, path: str) -> None:
        """Delete what stands at `path`."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        return _json(self._send(method, path, **request))

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TimeoutException as error:
            raise ApiSlowError from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiAwayError from error
        if not response.is_success:
            raise _refusal(response)
        return response


def path_to(*parts: str) -> str:
    """Return a path; no part leaves its place in it, not even one of dots."""
    return "/".join(["/v1", *(_DOTS.get(part) or quote(part, safe="") for part in parts)])


def _json(response: httpx.Response) -> Any:
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise ApiStrangeError from error


def _refusal(response: httpx.Response) -> ApiRefusedError:
    status = response.status_code
    try:
        problem = response.json()
        code, words = str(problem["code"]), str(problem["detail"])
        faults = [
            Fault(str(fault["pointer"]), str(fault.get("code", "")), str(fault["message"]))
            for fault in problem.get("errors", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiRefusedError(status, "unknown", f"The API answered {status}.")
    return ApiRefusedError(status, code, words, faults)
