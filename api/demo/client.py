"""The demo's client: speaks to the API by HTTP alone, as any developer would."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from core.errors import CarillonError

_TIMEOUT_SECONDS = 30.0
_BATCH = 1_000
_PAGE = 200
_PAUSE_SECONDS = 0.2


class DemoError(CarillonError):
    """The demo could not be carried out."""

    code = "demo"


class DemoClient:
    """A key holder's view of one running platform."""

    def __init__(self, api_url: str, key: str, app_id: str) -> None:
        self.app_id = app_id
        self._http = httpx.Client(
            base_url=api_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def add_credential(self, credential: dict[str, Any]) -> None:
        """Upload a provider credential."""
        self._post(f"/v1/apps/{self.app_id}/credentials", credential)

    def add_people(self, people: Sequence[dict[str, Any]]) -> None:
        """Store people in batches."""
        self._batches("/v1/people/batch", "people", people)

    def import_people(self, path: Path, limit_seconds: float) -> dict[str, Any]:
        """Upload a file of people and wait until it is imported."""
        with path.open("rb") as file:
            query = {"kind": "people", "name": path.name}
            started = self._checked(self._http.post("/v1/imports", params=query, content=file))
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            job = self._checked(self._http.get(f"/v1/imports/{started['id']}"))
            if job["state"] == "finished":
                return job
            if job["state"] == "failed":
                raise DemoError(f"The import failed: {job['failed_reason']}")
            time.sleep(_PAUSE_SECONDS)
        raise DemoError(f"The import did not end within {limit_seconds:g} s.")

    def people_ids(self) -> list[str]:
        """Return the external ids of everybody."""
        ids: list[str] = []
        query: dict[str, Any] = {"limit": _PAGE}
        while "cursor" not in query or query["cursor"]:
            page = self._checked(self._http.get("/v1/people", params=query))
            ids += [person["external_id"] for person in page["data"]]
            query["cursor"] = page["next_cursor"]
        return ids

    def add_devices(self, devices: Sequence[dict[str, Any]]) -> None:
        """Register devices in batches."""
        self._batches("/v1/devices/batch", "devices", devices)

    def report(self, receipts: Sequence[dict[str, Any]]) -> None:
        """Report for the phones what arrived and was opened."""
        for start in range(0, len(receipts), _BATCH):
            part = list(receipts[start : start + _BATCH])
            answer = self._post("/v1/receipts", {"receipts": part})
            if answer["rejected"]:
                refused = [one for one in answer["results"] if one["status"] == "rejected"]
                raise DemoError(f"/v1/receipts refused {len(refused)} of its items: {refused[0]}")

    def send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and return what the API says of it."""
        return self._post("/v1/messages", message)

    def read(self, message_id: str) -> dict[str, Any]:
        """Read a message."""
        return self._checked(self._http.get(f"/v1/messages/{message_id}"))

    def messages(self) -> list[dict[str, Any]]:
        """Read the newest messages."""
        found: list[dict[str, Any]] = self._checked(self._http.get("/v1/messages"))["data"]
        return found

    def wait_for_end(
        self, message_id: str, limit_seconds: float, *, pause: float
    ) -> dict[str, Any]:
        """Read a message until it has ended; raises `DemoError` when it takes too long."""
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            message = self.read(message_id)
            if message["finished_at"] is not None:
                return message
            time.sleep(pause)
        raise DemoError(f"The message {message_id} did not end within {limit_seconds:g} s.")

    def _batches(self, path: str, name: str, items: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(items), _BATCH):
            answer = self._post(path, {name: list(items[start : start + _BATCH])})
            refused = [item for item in answer["results"] if item["status"] >= 400]
            if refused:
                raise DemoError(f"{path} refused {len(refused)} of its items: {refused[0]}")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._checked(self._http.post(path, json=body))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            raise DemoError(
                f"{answer.request.url.path} answered {answer.status_code}: {answer.text}"
            )
        found: dict[str, Any] = answer.json()
        return found
