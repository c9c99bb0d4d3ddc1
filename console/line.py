"""The line to the API: one request out, JSON or an error in words back. Knows no resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from console.errors import ApiAwayError, ApiRefusedError, ApiSlowError, ApiStrangeError, Fault

TIMEOUT_SECONDS = 5.0


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

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        once: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Any:
        """Post `body`; with `once`, an Idempotency-Key, a repetition has no second effect."""
        headers = {"Idempotency-Key": once} if once else {}
        return self._ask("POST", path, json=body, headers=headers, timeout=timeout_seconds)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change what stands at `path`."""
        return self._ask("PATCH", path, json=body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Put `body` at `path`; a repetition has no second effect."""
        return self._ask("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """Delete what stands at `path`."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TimeoutException as error:
            raise ApiSlowError from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiAwayError from error
        if not response.is_success:
            raise _refusal(response)
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
