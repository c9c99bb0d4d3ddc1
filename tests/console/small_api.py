"""A small HTTP server with fixed answers, for the console to speak to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = "ca_" + "k" * 43


@dataclass(slots=True)
class SmallApi:
    """The answers by path (status, body) and what was asked; only `KEY` gets in."""

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        self.paths.append(path)
        self.headers.append(headers)
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, problem("token_invalid", "This key is not known.")
        missing = 404, problem("not_found", "There is no such message.")
        return self.answers.get(path.partition("?")[0], missing)


def problem(code: str, detail: str) -> dict[str, str]:
    return {"code": code, "detail": detail}


def message(message_id: str = "msg_one", **changes: Any) -> dict[str, Any]:
    return {
        "id": message_id,
        "state": "running",
        "status": "pending",
        "lane": "campaign",
        "targeted": 10,
        "counts": {"accepted": 6, "gone": 1, "suppressed": 1},
        "created_at": "2026-01-02T03:04:05Z",
        **changes,
    }


@contextmanager
def serve_small_api() -> Iterator[SmallApi]:
    api = SmallApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(api: SmallApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, value = api.answer(self.path, headers)
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
            """Say nothing."""

    return Handler
