"""A Redis on TCP with a password."""

from pathlib import Path

import redis

from bench.own.servers import HOST, Ground, OwnServer, Start, free_port, password


def own_redis(ground: Ground, program: Path, *, tls: bool = True) -> OwnServer:
    """Return a new server, not started, which keeps nothing on disk; not all are built for TLS."""
    port, tls_port, secret = free_port(), free_port() if tls else 0, password()
    url = f"redis://:{secret}@{HOST}:{port}/0"

    def answers() -> bool:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    arguments = (
        str(program),
        *("--port", str(port), "--bind", HOST, "--requirepass", secret),
        *(_tls(ground, tls_port) if tls else ()),
        *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--dir", str(ground.folder)),
    )
    ca = ground.certificates().ca
    tls_url = f"rediss://:{secret}@{HOST}:{tls_port}/0?ssl_ca_certs={ca}" if tls else ""
    return OwnServer(ground, Start(f"redis-{port}", arguments, answers), url, tls_url)


def _tls(ground: Ground, port: int) -> tuple[str, ...]:
    files = ground.certificates()
    return (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-ca-cert-file", str(files.ca), "--tls-cert-file", str(files.server)),
        *("--tls-key-file", str(files.server_key)),
    )
