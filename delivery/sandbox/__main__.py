"""Start the sandbox as a process: ``python -m delivery.sandbox --folder DIR``."""

import argparse
from pathlib import Path

import orjson

from delivery.sandbox.profile import Profile, change_profile
from delivery.sandbox.server import Options, serve


def main() -> None:
    """Read the arguments and serve until a signal."""
    serve(_options(_parser().parse_args()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="delivery.sandbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="certificates, ready.json")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mtls-port", type=int, help="also listen for client certificates")
    parser.add_argument("--name", action="append", default=[], help="further host name or address")
    parser.add_argument("--control", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--keep-authority", action="store_true", help="reuse the folder's ca.pem")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when orphaned")
    parser.add_argument("--max-concurrent-streams", type=int, default=1000)
    parser.add_argument("--initial-window", type=int, default=65_535)
    parser.add_argument("--max-headers-size", type=int, default=16_384)
    parser.add_argument("--profile", default="{}", help="JSON, as for POST /control/profile")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        folder=arguments.folder.absolute(),
        host=arguments.host,
        port=arguments.port,
        mtls_port=arguments.mtls_port,
        names=tuple(arguments.name),
        control=arguments.control,
        keep_authority=arguments.keep_authority,
        end_with_parent=arguments.end_with_parent,
        max_concurrent_streams=arguments.max_concurrent_streams,
        initial_window=arguments.initial_window,
        max_headers_size=arguments.max_headers_size,
        profile=change_profile(Profile(), orjson.loads(arguments.profile)),
    )


if __name__ == "__main__":
    main()
