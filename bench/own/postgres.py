"""A PostgreSQL on TCP with a password, from any installed version."""

import shutil
import signal
from pathlib import Path

import psycopg

from api.services.account import run_as
from bench.own.servers import HOST, Ground, OwnServer, Start, free_port, password

MAX_CONNECTIONS = 200


def own_postgres(ground: Ground, programs: Path, *, tls: bool = True) -> OwnServer:
    """Return a new server, not started; `programs` is the folder of initdb and postgres.

    Not every PostgreSQL is built for TLS: that of our wheel is not.
    """
    port, secret, files = free_port(), password(), ground.certificates()
    folder = ground.make(f"postgres-{port}")
    _make_cluster(ground, programs, folder, secret)
    url = f"postgresql+psycopg://carillon:{secret}@{HOST}:{port}/postgres"

    def answers() -> bool:
        try:
            psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(MAX_CONNECTIONS),
        # A crash of the process loses nothing that was written: only one of the machine would.
        "fsync": "off",
        "dynamic_shared_memory_type": "mmap",
    }
    if tls:
        settings |= {"ssl_cert_file": str(files.server), "ssl_key_file": str(files.server_key)}
        settings["ssl"] = "on"
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    arguments = (str(programs / "postgres"), "-D", str(folder / "cluster"), *options)
    start = Start(f"postgres-{port}", arguments, answers, stop_signal=signal.SIGINT)
    tls_url = f"{url}?sslmode=verify-full&sslrootcert={files.ca}" if tls else ""
    return OwnServer(ground, start, url, tls_url)


def _make_cluster(ground: Ground, programs: Path, folder: Path, secret: str) -> None:
    file = ground.write(folder / "password", secret)
    finished = run_as(
        ground.account,
        (
            programs / "initdb",
            *("--pgdata", folder / "cluster", "--username", "carillon"),
            *("--auth=scram-sha-256", "--pwfile", file, "--no-sync"),
            *("--encoding=UTF8", "--locale=C", "--no-instructions"),
        ),
    )
    assert finished.returncode == 0, finished.stderr


def copied(ground: Ground, programs: Path) -> Path:
    """Return the folder of `programs` copied where the servers' account can enter it."""
    root = programs.parent
    target = ground.folder / root.parent.name / root.name
    if not target.exists():
        shutil.copytree(root, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = root.parent.parent / f"{root.parent.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, ground.folder / libraries.name)
    return target / "bin"
