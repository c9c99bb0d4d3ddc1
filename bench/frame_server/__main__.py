"""The frame server as a process: ``python -m bench.frame_server --folder DIR``.

Prints its port, then obeys the lines of its standard input until that ends: `restart` forgets
what was seen, `count` prints the totals as JSON, `record` writes the record to DIR/record.
"""

import argparse
import gc
import ssl
import sys
from pathlib import Path

import orjson

from bench.frame_server.faults import Faults
from bench.frame_server.server import FrameServer
from delivery.sandbox.authority import AuthorityFiles, make_authority


def main() -> None:
    """Read the arguments and serve."""
    arguments = _parser().parse_args()
    make_authority(arguments.folder)
    faults = Faults(
        goaway_every=arguments.goaway_every,
        reset_every=arguments.reset_every,
        limit_every=arguments.limit_every,
        streams=arguments.streams,
    )
    server = FrameServer(_context(arguments.folder), arguments.latency / 1000, faults)

    def obey(line: str) -> None:
        if line == "restart":
            server.restart_count()
        elif line == "record":
            (arguments.folder / "record").write_bytes(server.totals.record.tobytes())
        _say(server.stats())

    # Pushes make no cycles; looking for some only costs time.
    gc.freeze()
    gc.disable()
    _say({"port": server.port})
    server.serve(sys.stdin.fileno(), obey)


def _say(value: dict[str, int]) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def _context(folder: Path) -> ssl.SSLContext:
    files = AuthorityFiles(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.server_key)
    context.set_alpn_protocols(["h2"])
    return context


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.frame_server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="certificates, record")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--streams", type=int, default=100, help="per connection")
    parser.add_argument("--goaway-every", type=int, default=0, metavar="PUSHES")
    parser.add_argument("--reset-every", type=int, default=0, metavar="PUSHES")
    parser.add_argument("--limit-every", type=int, default=0, metavar="PUSHES")
    return parser


if __name__ == "__main__":
    main()
