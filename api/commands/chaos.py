"""`./carillon chaos NAME`: throws chaos at a part of the product, as a process of its own."""

import argparse
from collections.abc import Mapping

from api.commands import bench

CHAOS: Mapping[str, str] = {
    "http2": "random frames and scrambled conversations for the sender core",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `chaos`."""
    parser.add_argument("name", choices=list(CHAOS), help="at what")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="its own; NAME --help lists them"
    )
    parser.epilog = " ".join(f"{name}: {words}." for name, words in CHAOS.items())


def run(args: argparse.Namespace) -> int:
    """Run it and return its exit code."""
    named = argparse.Namespace(name=f"chaos_{args.name}", arguments=args.arguments)
    return bench.run(named)
