"""A small HTTP server with fixed answers, for the console to speak to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

KEY = "ca_" + "k" * 43


@dataclass(slots=True)
class SmallApi:
    """The answers by path (status, body) and what was asked; only `KEY` gets in."""

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    bodies: list[Any] = field(default_factory=list)
    silent: Event = field(default_factory=Event)
    away: Event = field(default_factory=Event)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        self.paths.append(path)
        self.headers.append(headers)
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, problem("token_invalid", "This key is not known.")
        missing = 404, problem("not_found", "There is no such message.")
        return self.answers.get(path.partition("?")[0], missing)


def problem(code: str, detail: str, *errors: dict[str, str]) -> dict[str, Any]:
    return {"code": code, "detail": detail, "errors": list(errors)}


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
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            api.bodies.append(json.loads(self.rfile.read(length) or b"null"))
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if api.silent.is_set():
                # Until whoever asks gives up.
                self.rfile.read(1)
            if api.silent.is_set() or api.away.is_set():
                return
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
