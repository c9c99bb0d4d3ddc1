"""Signs that a process is ready: a port that listens, a page that answers, a free port to give."""

import contextlib
import http.client
import socket

_SECONDS = 2.0


def answers_http(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Tell whether GET `path` is answered with a success."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def accepts_tcp(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_SECONDS):
        return True
    return False


def choose_port(preferred: int | None = None, host: str = "127.0.0.1") -> int:
    """Return the preferred port if it is free, else a free one."""
    for port in (0,) if preferred is None else (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            # As servers do: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise OSError("no free port")
