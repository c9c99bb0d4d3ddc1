"""`./carillon chaos [NAME]`: throws chaos at the product, as a process of its own."""

import argparse
import difflib
from collections.abc import Mapping

from api.commands import bench
from core.errors import CarillonError

CHAOS: Mapping[str, str] = {
    "campaign": "break everything in the middle of a campaign, and count (without a name)",
    "http2": "random frames and scrambled conversations for the sender core",
}
_FIRST = "campaign"


class UnknownChaosError(CarillonError):
    """There is no such chaos. See ./carillon chaos --help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe `chaos`; whatever follows is handed on as it is."""
    names = "; ".join(f"{name}: {words}" for name, words in CHAOS.items())
    parser.usage = "./carillon chaos [campaign | http2] [its own options]"
    parser.epilog = f"{names}. ./carillon chaos NAME --help lists the options of one."


def run(args: argparse.Namespace) -> int:
    """Run what is named, else a campaign, and return its exit code."""
    given: list[str] = args.passed_on
    has_name = bool(given) and not given[0].startswith("-")
    name, rest = (given[0], given[1:]) if has_name else (_FIRST, given)
    if name not in CHAOS:
        close = difflib.get_close_matches(name, CHAOS, n=1, cutoff=0.4)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownChaosError(f"There is no chaos {name!r}.{meant} See ./carillon chaos --help.")
    return bench.run(argparse.Namespace(name=f"chaos_{name}", arguments=rest))
