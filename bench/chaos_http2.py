"""Whether chaos brings the sender core out of step: ``python -m bench.chaos_http2``.

`./carillon chaos http2` is the same. It sends requests while a server says random frames, and
holds scrambled conversations in memory. It ends with 1 on a hang, an exception out of the core,
or a result that the server's record contradicts.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from bench.chaos.conversation import WrongError, converse
from bench.chaos.storm import Storm
from bench.children import ending_on_signals

_KEPT = 20
_FAULTS = ("hangs", "exceptions", "wrong", "wrong_conversations")


def main(arguments: Sequence[str]) -> int:
    """Run both parts and print what was counted."""
    args = _parser().parse_args(arguments)
    seed = args.seed if args.seed is not None else str(random.randrange(1 << 32))  # noqa: S311
    with ending_on_signals():
        found = {
            "seed": seed,
            **storm(args.seconds, seed),
            **conversations(args.conversations, seed),
        }
    faults = sum(len(found[name]) for name in _FAULTS)
    if args.json:
        print(orjson.dumps(found).decode(), flush=True)
    else:
        for name, value in found.items():
            print(f"{name:<28} {value}")
    return 1 if faults else 0


def storm(seconds: float, seed: str) -> dict[str, Any]:
    """Send while a server says random frames; return counts and what should not have been."""
    one = Storm()
    if seconds > 0:
        one.rage(seconds, seed)
    tally = one.tally
    return {
        "seconds": seconds,
        "requests": sum(tally[name] for name in ("Answer", "NotProcessed", "Ambiguous")),
        "answered": tally["Answer"],
        "not_processed": tally["NotProcessed"],
        "ambiguous": tally["Ambiguous"],
        "connections": tally["connections"],
        "hangs": one.hangs[:_KEPT],
        "exceptions": one.exceptions[:_KEPT],
        "wrong": one.wrong[:_KEPT],
    }


def conversations(count: int, seed: str) -> dict[str, Any]:
    """Hold scrambled conversations in memory; return how many, and which went wrong."""
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.monotonic()
    for number in range(count):
        try:
            converse(f"{seed}-{number}", tally)
        except WrongError as error:
            wrong.append(f"conversation {seed}-{number}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it should not come.
            wrong.append(f"conversation {seed}-{number} raised {error!r}")
    return {
        "conversations": count,
        "conversation_results": dict(sorted(tally.items())),
        "conversation_seconds": round(time.monotonic() - began, 1),
        "wrong_conversations": wrong[:_KEPT],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon chaos http2", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to send (60)")
    parser.add_argument("--conversations", type=int, default=100_000, help="in memory (100000)")
    parser.add_argument("--seed", help="what all chance comes from; the same again, the same chaos")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
