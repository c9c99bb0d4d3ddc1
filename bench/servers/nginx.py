"""nginx as a sink: reads each push whole, writes one line about it, and answers 200."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.children import last_words, running
from bench.errors import BenchError
from bench.servers.server import Counted
from delivery.sandbox.authority import AuthorityFiles, make_authority

_HOST = "127.0.0.1"
_READY_SECONDS, _WRITTEN_SECONDS, _LOOK_SECONDS = 10.0, 5.0, 0.02
# Debian keeps it where only root's PATH leads.
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin"

# `mirror` makes nginx read the body before it goes on; `return` alone answers first and resets the
# stream. `empty_gif` then refuses a POST, and that refusal is turned into the answer.
# nginx 1.22 forgets to reuse the memory of streams that close more than 255 at a time and then
# searches them all: the large index keeps it from getting slower with every push.
_CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; multi_accept on; }}
http {{
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  map $request_body $token {{ "~\\"token\\": ?\\"(?<found>[^\\"]+)" $found; }}
  log_format apns '$status $request_uri';
  log_format fcm '$status $token';
  access_log off;
  server {{
    listen {host}:{port} ssl http2 backlog=1024;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    http2_max_concurrent_streams {streams};
    http2_body_preread_size 64k;
    http2_streams_index_size 131072;
    client_body_buffer_size 16k;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    location /3/device/ {{ mirror /read; empty_gif; error_page 405 =200 @apns; }}
    location /v1/ {{ mirror /read; empty_gif; error_page 405 =200 @fcm; }}
    location @apns {{
      add_header apns-id $http_apns_id;
      access_log pushes.log apns buffer=256k flush=100ms;
      return 200;
    }}
    location @fcm {{
      default_type application/json;
      access_log pushes.log fcm buffer=256k flush=100ms;
      return 200 '{{"name":"projects/bench/messages/0:1"}}';
    }}
    location = /read {{ internal; return 204; }}
  }}
}}
"""


@dataclass(slots=True)
class Nginx:
    """A running nginx; its log is the count."""

    name: str
    url: str
    ca: Path
    _log: Path
    _counted_to: int = field(default=0)

    def restart_count(self) -> None:
        """Begin to count anew; nobody may be sending."""
        self._counted_to = self._log.stat().st_size if self._log.exists() else 0

    def count(self, expected: int) -> Counted:
        """Return what the log says, once it has `expected` lines or does not grow any more."""
        deadline, former = time.monotonic() + _WRITTEN_SECONDS, b""
        while True:
            lines = self._read()
            if lines.count(b"\n") >= expected or time.monotonic() > deadline:
                return _counted(lines)
            if len(lines) != len(former):
                deadline, former = time.monotonic() + _WRITTEN_SECONDS, lines
            time.sleep(_LOOK_SECONDS)

    def _read(self) -> bytes:
        if not self._log.exists():
            return b""
        with self._log.open("rb") as log:
            log.seek(self._counted_to)
            return log.read()


def _counted(lines: bytes) -> Counted:
    good = [line for line in lines.splitlines() if line.startswith(b"200 ")]
    return Counted(len(good), len(set(good)))


def find_nginx() -> str | None:
    """Return the program, None where it is not installed or knows no HTTP/2."""
    program = shutil.which("nginx") or shutil.which("nginx", path=_PLACES)
    if program is None or "http_v2_module" not in _about(program):
        return None
    return program


def _about(program: str) -> str:
    done = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stderr


@contextlib.contextmanager
def nginx_sink(program: str, folder: Path, streams: int) -> Iterator[Nginx]:
    """Run nginx in a folder of its own, for the length of a block; raises BenchError."""
    make_authority(folder)
    port = _free_port()
    content = _CONFIGURATION.format(host=_HOST, port=port, streams=streams)
    (folder / "nginx.conf").write_text(content)
    log = folder / "nginx.log"
    prefix = ["-p", f"{folder}/", "-c", "nginx.conf"]
    version = re.search(r"nginx/[\w.]+", _about(program))
    with running("bench.servers.keeper", [program, *prefix], log) as process:
        _wait_for(port, process, log)
        name = version.group() if version else "nginx"
        ca = AuthorityFiles(folder).ca
        yield Nginx(name, f"https://{_HOST}:{port}", ca, folder / "pushes.log")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), 1):
            return
        time.sleep(_LOOK_SECONDS)
    raise BenchError(f"nginx did not start: {last_words(log)}")
