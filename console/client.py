"""The API as the console sees it: typed calls over HTTP. Knows no page and no table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

_TIMEOUT_SECONDS = 10.0


class ApiError(Exception):
    """The API gave no answer that can be shown."""


class ApiAwayError(ApiError):
    """The API does not answer. Check that it runs and that the console has its address."""


class ApiRefusedError(ApiError):
    """The API answered with a problem; `code` is its stable name, the text its own words."""

    def __init__(self, status: int, code: str, words: str) -> None:
        self.status = status
        self.code = code
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Access:
    """What a person signs in with; `app_id` is empty when the key belongs to one app."""

    key: str
    app_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `counts` are its ended recipients by state, `targeted` None until cut."""

    id: str
    state: str
    status: str
    lane: str
    created_at: str
    targeted: int | None
    counts: Mapping[str, int]


class Client:
    """One person's line to the API. Use it as a context manager; give `transport` in tests."""

    def __init__(
        self, api_url: str, access: Access, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {access.key}"}
        if access.app_id:
            headers["Carillon-App"] = access.app_id
        self._http = httpx.Client(
            base_url=api_url, headers=headers, timeout=_TIMEOUT_SECONDS, transport=transport
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def list_messages(self, limit: int = 50) -> list[Message]:
        """Return the newest messages first; raise `ApiError`."""
        answer = self._get("/v1/messages", {"limit": limit})
        try:
            return [_message(item) for item in answer["data"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _strange() from error

    def read_message(self, message_id: str) -> Message:
        """Return one message; raise `ApiError`, with code `not_found` if there is none."""
        answer = self._get(f"/v1/messages/{quote(message_id, safe='')}")
        try:
            return _message(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise _strange() from error

    def _get(self, path: str, query: Mapping[str, int] | None = None) -> Any:
        try:
            response = self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise ApiAwayError(ApiAwayError.__doc__) from error
        if not response.is_success:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise _strange() from error


def _message(item: Any) -> Message:
    targeted = item["targeted"]
    return Message(
        id=str(item["id"]),
        state=str(item["state"]),
        status=str(item["status"]),
        lane=str(item["lane"]),
        created_at=str(item["created_at"]),
        targeted=None if targeted is None else int(targeted),
        counts={str(state): int(number) for state, number in dict(item["counts"]).items()},
    )


def _refusal(response: httpx.Response) -> ApiRefusedError:
    try:
        problem = response.json()
        code, words = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return ApiRefusedError(
            response.status_code, "unknown", f"The API answered {response.status_code}."
        )
    return ApiRefusedError(response.status_code, code, words)


def _strange() -> ApiError:
    return ApiError("The answer is not one of this API. Check the address the console has.")
