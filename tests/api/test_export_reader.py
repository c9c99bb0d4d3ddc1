"""Exports from a real server, to readers that stop, that hang up, and that outlive the server."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from tests.api.doors import settings_for
from tests.api.serving import Served, served
from tests.api.test_replay_killed import kill_servers
from tests.api.test_segments import make
from tests.deadlines import note, wait_until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="what files a process holds is read from /proc"
)
_PEOPLE = text(
    "INSERT INTO person (app_id, external_id, attributes) SELECT :app, 'p' || n, "
    "jsonb_build_object('plan', 'gold', 'text', repeat(md5(n::text), 125)) "
    "FROM generate_series(1, :people) n"
)
_EACH_BYTES = 4_000
_OPEN_TRANSACTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'carillon-api' AND state <> 'idle' AND pid <> pg_backend_pid()"
)
# A server whose memory grew with what waits for its reader would need all of the file.
_MEGABYTES = 200
_MORE_MEGABYTES = 60


class _Reader:
    """A client that reads as much of an export as it is told to."""

    def __init__(self, server: Served, path: str) -> None:
        url = server.http.base_url
        self._socket = socket.create_connection((url.host, url.port or 80), timeout=60)
        key = server.app.server["Authorization"]
        request = f"GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: {key}\r\n\r\n"
        self._socket.sendall(request.encode())
        self._read = b""

    def begin(self) -> int:
        """Read the head of the answer and return its Content-Length."""
        while b"\r\n\r\n" not in self._read:
            self._read += self._socket.recv(4_096)
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        lines = [line.split(b":") for line in head.lower().split(b"\r\n")[1:]]
        return int(next(value for name, value, *_ in lines if name == b"content-length"))

    def read(self, size: int) -> int:
        """Read up to `size` bytes of the body, less when it ends; return how many there were."""
        count = len(self._read)
        while count < size and (piece := self._socket.recv(1 << 20)):
            count += len(piece)
        return count

    def close(self) -> None:
        self._socket.close()


@contextmanager
def _crowd(database: str, redis: str, folder: Path, megabytes: int, **values: Any) -> Iterator[Any]:
    """Yield a server, the folder of its exports, and the path of one that is so large."""
    settings = settings_for(
        database, redis, state_dir=folder / "state", rule_timeout_seconds=60, **values
    )
    with served(settings, folder) as server:
        people = megabytes * 1_000_000 // _EACH_BYTES
        with server.connection.begin():
            server.connection.execute(_PEOPLE, {"app": server.app.inner_id, "people": people})
        yield server, folder / "state" / "exports", f"/v1/segments/{make(server.app)['id']}/export"


def _servers() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    alive = [one for one in found if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in alive if "granian" in " ".join(one.cmdline())]


def _held(folder: Path) -> list[str]:
    """Return the files below a folder that servers have open, names or not."""
    links = [link for one in _servers() for link in Path(f"/proc/{one.pid}/fd").iterdir()]
    targets = [str(link.readlink()) for link in links if link.is_symlink()]
    return [target for target in targets if target.startswith(f"{folder}/")]


def _memory() -> float:
    return sum(one.memory_info().rss for one in _servers()) / 1e6


def _open_transactions(server: Served) -> int:
    with server.connection.begin():
        return int(server.connection.scalar(_OPEN_TRANSACTIONS) or 0)


def test_a_reader_who_stops_costs_no_memory_and_no_connection(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    with _crowd(fresh_database, redis_url, tmp_path, _MEGABYTES) as (server, folder, path):
        assert server.http.head(path, headers=server.app.server).status_code == 200
        before = _memory()
        reader = _Reader(server, path)
        size = reader.begin()
        most = before
        stopped = time.monotonic()
        while time.monotonic() < stopped + 3:
            most = max(most, _memory())
            assert _open_transactions(server) == 0
        assert len(_held(folder)) == 1
        refused = server.http.get(path, headers=server.app.server)
        assert refused.json()["code"] == "exports_busy"

        assert reader.read(size) == size > _MEGABYTES * 1e6
        reader.close()
        note(f"{size} bytes, {before:.0f} MB before and {most:.0f} MB while nobody read")
        assert most < before + _MORE_MEGABYTES
        wait_until(lambda: not _held(folder), 10, "the file is gone")


def test_a_reader_who_hangs_up_frees_the_place_and_the_disk(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    with _crowd(fresh_database, redis_url, tmp_path, 40) as (server, folder, path):
        reader = _Reader(server, path)
        size = reader.begin()
        assert reader.read(1_000_000) < size
        assert len(_held(folder)) == 1
        reader.close()

        wait_until(lambda: not _held(folder), 10, "the file is gone")
        again = server.http.get(path, headers=server.app.server)
        assert again.headers["content-encoding"] == "gzip"
        assert len(again.content) == size


def test_who_hangs_up_while_the_file_is_made_frees_the_place_and_the_disk(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    with _crowd(fresh_database, redis_url, tmp_path, 1) as (server, folder, path):
        with server.connection.engine.connect() as holder, holder.begin():
            holder.execute(text("LOCK TABLE person IN ACCESS EXCLUSIVE MODE"))
            reader = _Reader(server, path)
            wait_until(lambda: bool(server.blocked()), 30, "the export waits for people")
            assert len(_held(folder)) == 1
            reader.close()
        wait_until(lambda: not _held(folder), 10, "the file is gone")

        assert server.http.get(path, headers=server.app.server).status_code == 200


def test_a_reader_who_takes_too_long_is_cut_off(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    with _crowd(fresh_database, redis_url, tmp_path, 40, export_seconds=8) as crowd:
        server, folder, path = crowd
        reader = _Reader(server, path)
        size = reader.begin()
        wait_until(lambda: not _held(folder), 20, "the file is gone")

        assert reader.read(size) < size
        assert server.http.head(path, headers=server.app.server).status_code == 200
        reader.close()


def test_of_a_server_that_is_killed_nothing_is_left(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    with _crowd(fresh_database, redis_url, tmp_path, 40) as (server, folder, path):
        reader = _Reader(server, path)
        size = reader.begin()
        (held,) = _held(folder)
        assert not Path(held).exists()
        kill_servers()

        wait_until(lambda: _servers() == [], 30, "the servers are gone")
        assert list(folder.iterdir()) == []
        # What had left is read; then the connection ends, or is reset.
        with suppress(ConnectionError):
            assert reader.read(size) < size
        reader.close()
