"""The other side of the sandbox: start it as a child process, register credentials, read stats."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from delivery.sandbox.credentials import ApnsSigningKey, certificate_half, service_account_half

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0


class SandboxStartError(RuntimeError):
    """The sandbox did not come up; its standard error is in sandbox.log in its folder."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running sandbox answers, as its ready.json says."""

    host: str
    port: int
    mtls_port: int | None
    ca: Path

    @property
    def url(self) -> str:
        """The base of the main listener: FCM, OAuth, APNs with tokens, control."""
        return f"https://{_bracketed(self.host)}:{self.port}"

    @property
    def token_uri(self) -> str:
        """The OAuth token endpoint, for a service account's ``token_uri``."""
        return f"{self.url}/token"

    @property
    def mtls_url(self) -> str:
        """The base of the APNs listener for client certificates."""
        return f"https://{_bracketed(self.host)}:{self.mtls_port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def read_address(folder: Path) -> Address | None:
    """Read where the sandbox of a folder answers; None while it does not."""
    try:
        ready = json.loads((folder / "ready.json").read_bytes())
    except FileNotFoundError:
        return None
    return Address(ready["host"], ready["port"], ready["mtls_port"], Path(ready["ca"]))


def start_sandbox(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], Address]:
    """Start a sandbox as a child and wait until it answers; raises SandboxStartError."""
    folder.mkdir(parents=True, exist_ok=True)
    own = ["--folder", str(folder), "--end-with-parent"]
    command = [sys.executable, "-m", "delivery.sandbox", *own, *arguments]
    (folder / "ready.json").unlink(missing_ok=True)
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 our own module
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        address = read_address(folder)
        if address is not None:
            return process, address
        time.sleep(0.02)
    stop_sandbox(process)
    raise SandboxStartError((folder / "sandbox.log").read_text(errors="replace")[-2000:])


def stop_sandbox(process: subprocess.Popen[bytes]) -> int:
    """Ask a sandbox to stop and wait for it; returns its exit code."""
    process.terminate()
    try:
        return process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class ControlClient:
    """The control API in Python; raises httpx.HTTPStatusError when it refuses."""

    def __init__(self, address: Address) -> None:
        context = ssl.create_default_context(cafile=str(address.ca))
        self._http = httpx.Client(
            base_url=f"{address.url}/control/", verify=context, timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        return self._call("GET", "stats")

    def answers(self) -> dict[tuple[str, int, str], int]:
        """Return how often each (provider, status, reason) was answered."""
        rows = self.stats()["answers"]
        return {(row["provider"], row["status"], row["reason"]): row["count"] for row in rows}

    def accepted(self, message: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield every accepted (token, message id) in order of arrival, repeats included."""
        after: int | None = 0
        while after is not None:
            query: dict[str, str | int] = {"after": after}
            if message is not None:
                query["message"] = message
            page = self._call("GET", "accepted", query=query)
            for one in page["accepted"]:
                yield one["token"], one["message"]
            after = page["next"]

    def pairs(self) -> set[int]:
        """Return the `pair_hash` of every accepted (token, message)."""
        return set(self._call("GET", "pairs")["pairs"])

    def seconds(self) -> dict[tuple[int, int], int]:
        """Return how many pushes came in each (second, status they got)."""
        return {
            (at, status): count for at, status, count in self._call("GET", "seconds")["seconds"]
        }

    def arrivals(self) -> Iterator[tuple[str, str, float]]:
        """Yield (token, message id, time) of every accepted push of a timed token."""
        after: int | None = 0
        while after is not None:
            page = self._call("GET", "arrivals", query={"after": after})
            for one in page["arrivals"]:
                yield one["token"], one["message"], one["at"]
            after = page["next"]

    def reset(self) -> None:
        """Forget everything that was seen."""
        self._call("POST", "reset")

    def profile(self, **changes: Any) -> dict[str, Any]:
        """Change these fields of the profile and return it whole."""
        return self._call("POST", "profile", body=changes)

    def default_profile(self, **changes: Any) -> dict[str, Any]:
        """Set every field of the profile to its default but these."""
        return self._call("POST", "profile", body={"reset": True, **changes})

    def register(self, credential: dict[str, Any]) -> None:
        """Register the public half of a credential."""
        self._call("POST", "credentials", body=credential)

    def register_service_account(self, account: dict[str, str]) -> None:
        """Register a service account by its JSON file's content."""
        self.register(service_account_half(account))

    def register_apns_key(
        self, key: ApnsSigningKey, *topics: str, environment: str = "any"
    ) -> None:
        """Register an APNs signing key for these bundle ids, or for all."""
        self.register(key.public_half(topics, environment))

    def register_certificate_topics(self, *topics: str) -> None:
        """Allow these bundle ids on the listener for client certificates."""
        self.register(certificate_half(*topics))

    def revoke(self, key_id: str) -> None:
        """Revoke an APNs key or a service account's key by its id."""
        self._call("DELETE", "credentials", body={"key_id": key_id})

    def revoke_access_tokens(self) -> int:
        """Make every issued OAuth access token invalid; returns how many."""
        return int(self._call("POST", "oauth/revoke")["revoked"])

    def _call(
        self, method: str, path: str, *, body: Any = None, query: Any = None
    ) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body, params=query)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
