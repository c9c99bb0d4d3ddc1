"""HTTP/2 servers of others, each a child of a test, in a folder of its own, on a free port."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from delivery.sandbox.authority import AuthorityFiles, make_authority

INSTALL = "apt-get install --yes --no-install-recommends"
# Debian keeps servers where only root's PATH leads.
_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_READY_SECONDS = 20.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; `pushes` is what its own record says, one entry per request."""

    url: str
    ca: Path
    process: "subprocess.Popen[bytes]"
    pushes: Callable[[], list[str]]

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Let the server end by itself for a while, then kill what is left of it."""
        _stop(self.process)

    def pushes_when(self, expected: int) -> list[str]:
        """Return the record once it has so many entries; servers write it when they like."""
        deadline = time.monotonic() + 10
        while len(found := self.pushes()) < expected and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def found(program: str, package: str) -> str:
    """Return where a program is; without it the test is skipped, with the way to get it."""
    place = shutil.which(program, path=_PLACES)
    if place is None:
        pytest.skip(f"{program} is not installed: {INSTALL} {package}")
    return place


@contextlib.contextmanager
def running(
    folder: Path,
    make: Callable[[int, AuthorityFiles], Sequence[str]],
    read: Callable[[], list[str]],
) -> Iterator[Served]:
    """Run what `make` returns for a port and certificates, until the block ends."""
    folder.mkdir(exist_ok=True)
    make_authority(folder)
    files = AuthorityFiles(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = folder / "server.log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            make(port, files),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, log)
        yield Served(f"https://127.0.0.1:{port}", files.ca, process, read)
    finally:
        _stop(process)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2_000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # Workers may outlive a master that was killed, or that waits for them.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def lines_of(path: Path, *, start: str = "") -> list[str]:
    """Return the whole lines of a record that begin so, without their start."""
    if not path.exists():
        return []
    whole = path.read_text(errors="replace").rpartition("\n")[0].splitlines()
    return [line[len(start) :] for line in whole if line.startswith(start)]


# `mirror` makes nginx read a request whole before it goes on.
_NGINX = """
daemon off; pid nginx.pid; error_log stderr warn; worker_processes 2;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_body_buffer_size 32k; client_body_in_single_buffer on;
  log_format push escape=none '$status $request_uri $request_body';
  server {{
    listen 127.0.0.1:{port} ssl http2 backlog=512;
    ssl_certificate server.pem; ssl_certificate_key server.key;
    keepalive_requests {requests};
    access_log off;
    location / {{ mirror /read; empty_gif; error_page 405 =200 @answer; }}
    location @answer {{ access_log pushes.log push; add_header x-uri $request_uri; return 200 ok; }}
    location = /read {{ internal; return 204; }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, requests: int = 1_000_000) -> Iterator[Served]:
    """Run nginx with two workers; after `requests` on one connection it says goodbye."""
    program = found("nginx", "nginx")

    def make(port: int, _: AuthorityFiles) -> Sequence[str]:
        (folder / "nginx.conf").write_text(_NGINX.format(port=port, requests=requests))
        return [program, "-p", f"{folder}/", "-c", "nginx.conf"]

    with running(folder, make, lambda: lines_of(folder / "pushes.log", start="200 ")) as served:
        yield served


@contextlib.contextmanager
def nghttpd(folder: Path, *options: str) -> Iterator[Served]:
    """Run nghttpd, which sends back what it was sent; its words about frames are the record."""
    program = found("nghttpd", "nghttp2-server")

    def make(port: int, files: AuthorityFiles) -> Sequence[str]:
        paths = [str(port), str(files.server_key), str(files.server)]
        return [program, "-v", "--echo-upload", "-a", "127.0.0.1", "-d", ".", *options, *paths]

    def read() -> list[str]:
        words = " :path: "
        found = [line for line in lines_of(folder / "server.log") if words in line]
        return [line.partition(words)[2] for line in found]

    with running(folder, make, read) as served:
        yield served


# A rewrite to a status answers anything without a file; what is left of a body is read away.
_APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
Mutex file:{folder} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule rewrite_module {modules}/mod_rewrite.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule http2_module {modules}/mod_http2.so
Listen 127.0.0.1:{port}
ErrorLog {folder}/error.log
LogFormat "%s %U" push
CustomLog {folder}/pushes.log push
DocumentRoot {folder}
Protocols h2
SSLEngine on
SSLSessionCache none
SSLCertificateFile {folder}/server.pem
SSLCertificateKeyFile {folder}/server.key
H2MaxSessionStreams 100
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
RewriteEngine on
RewriteRule ^/push/ - [R=200,L]
{user}
"""


@contextlib.contextmanager
def apache(folder: Path) -> Iterator[Served]:
    """Run Apache with mod_http2; it records the paths."""
    program = found("apache2", "apache2-bin")

    def make(port: int, _: AuthorityFiles) -> Sequence[str]:
        # Apache's children are nobody when we are root, as it should be.
        user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
        modules = "/usr/lib/apache2/modules"
        content = _APACHE.format(folder=folder, modules=modules, port=port, user=user)
        (folder / "apache.conf").write_text(content)
        return [program, "-D", "FOREGROUND", "-f", str(folder / "apache.conf")]

    with running(folder, make, lambda: lines_of(folder / "pushes.log", start="200 ")) as served:
        yield served


def _python(folder: Path, *command: str) -> Sequence[str]:
    return ["/usr/bin/env", f"PYTHONPATH={Path(__file__).parent}", f"PUSHES={folder}/pushes.log",
            sys.executable, "-P", "-m", *command]  # fmt: skip


@contextlib.contextmanager
def granian(folder: Path) -> Iterator[Served]:
    """Run granian with an application that records path and body."""

    def make(port: int, files: AuthorityFiles) -> Sequence[str]:
        options = ["--interface", "asgi", "--http", "2", "--port", str(port), "--no-ws"]
        tls = ["--ssl-certificate", str(files.server), "--ssl-keyfile", str(files.server_key)]
        return _python(folder, "granian", *options, *tls, "echo_app:app")

    with running(folder, make, lambda: lines_of(folder / "pushes.log")) as served:
        yield served


@contextlib.contextmanager
def hypercorn(folder: Path) -> Iterator[Served]:
    """Run hypercorn with an application that records path and body."""

    def make(port: int, files: AuthorityFiles) -> Sequence[str]:
        tls = ["--certfile", str(files.server), "--keyfile", str(files.server_key)]
        # Beyond so many requests on a connection it hangs up, with answers under way.
        (folder / "hypercorn.toml").write_text("keep_alive_max_requests = 1000000\n")
        bind = ["--config", "hypercorn.toml", "--bind", f"127.0.0.1:{port}"]
        return _python(folder, "hypercorn", *bind, *tls, "echo_app:app")

    with running(folder, make, lambda: lines_of(folder / "pushes.log")) as served:
        yield served
