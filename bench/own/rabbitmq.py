"""A RabbitMQ node on ports of its own, with a port mapper of its own and no plugin."""

import contextlib
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import amqp
from kombu.utils.url import parse_url

from bench.own.servers import HOST, Ground, OwnServer, Start, free_port, password
from core.queue import LANES, lane_queue

_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"


@contextlib.contextmanager
def own_rabbitmq(ground: Ground, programs: Path) -> Iterator[OwnServer]:
    """Yield a new running node; its durable queues survive its restart."""
    mapper, mapper_port = _port_mapper(ground)
    node = _node(ground, programs, mapper_port)
    with contextlib.ExitStack() as stack:
        for server in (mapper, node):
            stack.callback(server.stop)
            server.start()
        yield node


def _node(ground: Ground, programs: Path, mapper_port: int) -> OwnServer:
    port, tls_port, secret, files = free_port(), free_port(), password(), ground.certificates()
    folder = ground.make(f"rabbitmq-{port}")
    configuration = {
        "listeners.tcp.1": f"{HOST}:{port}",
        "listeners.ssl.1": f"{HOST}:{tls_port}",
        "ssl_options.cacertfile": str(files.ca),
        "ssl_options.certfile": str(files.server),
        "ssl_options.keyfile": str(files.server_key),
        "default_user": "carillon",
        "default_pass": secret,
        "log.console": "true",
        "log.file": "false",
    }
    lines = "".join(f"{key} = {value}\n" for key, value in configuration.items())
    environment = {
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "RABBITMQ_CONF_ENV_FILE": str(ground.write(folder / "environment", "")),
        "RABBITMQ_CONFIG_FILE": str(ground.write(folder / "rabbit.conf", lines)),
        "RABBITMQ_NODENAME": f"carillon-{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK,
        "ERL_EPMD_PORT": str(mapper_port),
        # Its script then becomes the node instead of watching over it: signals reach the node.
        "RUNNING_UNDER_SYSTEMD": "yes",
    }
    url = f"amqp://carillon:{secret}@{HOST}:{port}//"

    def answers() -> bool:
        return version_of(f"{HOST}:{port}", "carillon", secret) is not None

    start = Start(f"rabbitmq-{port}", (str(programs / "rabbitmq-server"),), answers, environment)
    tls_url = f"amqps://carillon:{secret}@{HOST}:{tls_port}//?ssl_ca_certs={files.ca}"
    return OwnServer(ground, start, url, tls_url)


def version_of(address: str, user: str, secret: str, virtual_host: str = "/") -> str | None:
    """Return the version of a RabbitMQ that lets a user in; None when it does not."""
    connection = amqp.Connection(
        address, user, secret, virtual_host=virtual_host, connect_timeout=5, read_timeout=5
    )
    try:
        connection.connect()
        version = str(connection.server_properties["version"])
        connection.close()
    except (OSError, amqp.AMQPError):
        return None
    return version


def drop_queues(url: str, prefixes: Iterable[str]) -> None:
    """Remove the queues of platforms, by the prefixes of their names, from any RabbitMQ."""
    parts = parse_url(url)
    address = f"{parts['hostname']}:{parts['port'] or 5672}"
    with amqp.Connection(
        address, parts["userid"], parts["password"], virtual_host=parts["virtual_host"] or "/"
    ) as connection:
        channel = connection.channel()
        for prefix in prefixes:
            for lane in LANES:
                channel.queue_delete(lane_queue(prefix, lane))
            channel.exchange_delete(lane_queue(prefix, "maintenance"))


def _port_mapper(ground: Ground) -> tuple[OwnServer, int]:
    # A node starts one by itself otherwise, on a common port, and leaves it behind.
    port = free_port()
    program = shutil.which("epmd")
    assert program is not None, "Erlang has no port mapper"

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 5):
            return True
        return False

    arguments = (program, "-address", HOST, "-port", str(port))
    return OwnServer(ground, Start(f"epmd-{port}", arguments, answers), ""), port
