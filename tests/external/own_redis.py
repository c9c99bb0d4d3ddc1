"""A Redis on TCP with a password."""

from pathlib import Path

import redis

from tests.external.own_servers import HOST, Ground, OwnServer, Start, free_port, password


def own_redis(ground: Ground, program: Path) -> OwnServer:
    """Return a new server, not started, which keeps nothing on disk."""
    port, secret = free_port(), password()
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
        *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--dir", str(ground.folder)),
    )
    return OwnServer(ground, Start(f"redis-{port}", arguments, answers), url)
