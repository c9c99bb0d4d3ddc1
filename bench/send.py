"""How much a push costs its sender: ours and its peers against one TLS server.

``python -m bench.send``; `./carillon bench send` is the same.
"""

import argparse
import contextlib
import os
import platform
import ssl
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import pycurl

from bench.children import ending_on_signals
from bench.contenders import OURS_FCM, PEERS, Contender, Track, line_up, make_signing_key
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.report import medians, samples, summary, table
from bench.senders.job import APNS, FCM, Figures
from bench.senders.pushes import apns_body, fcm_body
from bench.servers.frames import frame_peer
from bench.servers.nginx import find_nginx, nginx_sink
from bench.servers.sandbox import sandbox_sink
from bench.servers.server import Server

_IN_FLIGHT = (100, 400, 1_000)
# At a distance what is open bounds the rate: 1,000 open pushes and 50 ms make 20,000/s at most.
_IN_FLIGHT_DISTANT = (400, 1_000, 2_000, 4_000)
_TRIAL_SHARE = 5


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 when something does not add up."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            result = _measure(args)
    except BenchError as error:
        sys.stderr.write(f"bench send: {error}\n")
        return 1
    print(orjson.dumps(result).decode() if args.json else table(result), flush=True)
    return 0


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    load = [round(value, 2) for value in os.getloadavg()]
    contenders = line_up(args.peers, is_distant=args.latency > 0)
    with (
        tempfile.TemporaryDirectory(prefix="carillon-bench-") as name,
        _server(args, Path(name)) as server,
    ):
        track = Track(server, make_signing_key(), _say)
        _say(f"server: {server.name}; load average {load[0]}")
        best = {one.name: _best(track, one, args) for one in contenders}
        runs = _alternate(track, contenders, best, args)
        server_name = server.name
    return {
        **summary(runs, {one.name: one.shape for one in contenders}),
        "server": server_name,
        "versions": _versions(),
        "conditions": {
            **({OURS_FCM: medians(runs[OURS_FCM])} if OURS_FCM in runs else {}),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpus": os.cpu_count(),
            "load_average_before": load,
            "latency_ms": args.latency,
            "streams_per_connection": args.streams,
            "alternations": args.alternations,
            "pushes": {one.name: one.pushes(args.pushes) for one in contenders},
            "shapes": {one.name: one.shape for one in contenders},
            "body_bytes": {APNS: len(apns_body(0)), FCM: len(fcm_body(0))},
            "in_flight": best,
            "samples": samples(runs),
        },
    }


def _best(track: Track, contender: Contender, args: argparse.Namespace) -> int:
    """Find how many pushes in flight suit a contender, in a short run of each."""
    pushes = contender.pushes(args.pushes // _TRIAL_SHARE)
    candidates = _IN_FLIGHT_DISTANT if args.latency else _IN_FLIGHT
    found = {number: track.run(contender, pushes, number) for number in candidates}
    if args.latency:
        return max(found, key=lambda number: found[number].pushes_per_second)
    return min(found, key=lambda number: found[number].cpu_us_per_push)


def _alternate(
    track: Track, contenders: list[Contender], best: dict[str, int], args: argparse.Namespace
) -> dict[str, list[Figures]]:
    runs: dict[str, list[Figures]] = defaultdict(list)
    for turn in range(args.alternations):
        _say(f"alternation {turn + 1} of {args.alternations}")
        for one in contenders:
            figures = track.run(one, one.pushes(args.pushes), best[one.name])
            runs[one.name].append(figures)
    return runs


@contextlib.contextmanager
def _server(args: argparse.Namespace, folder: Path) -> Iterator[Server]:
    if args.latency:
        given = ["--latency", str(args.latency), "--streams", str(args.streams)]
        with frame_peer(folder, given) as frames:
            yield frames
        return
    program = find_nginx() if args.server != "sandbox" else None
    if program is not None:
        with nginx_sink(program, folder, args.streams) as nginx:
            yield nginx
        return
    if args.server == "nginx":
        raise BenchError("nginx with HTTP/2 is not installed, for example: apt-get install nginx")
    if args.server == "any":
        _say("nginx is not installed: the sandbox is the server, and slower than the sender")
    with sandbox_sink(folder, args.streams) as sandbox:
        yield sandbox


def _versions() -> dict[str, str]:
    names = ("aioapns", "h2", "firebase-admin", "httpx", "pycurl")
    return {
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "libcurl": pycurl.version,
        **{name: version(name) for name in names},
    }


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./carillon bench send", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    numbers = {
        "--pushes": (200_000, "of ours and libcurl in each run; slow peers send a part of them"),
        "--alternations": (5, "runs of each sender"),
        "--streams": (1_000, "how many may be open on one connection"),
    }
    for name, (value, words) in numbers.items():
        parser.add_argument(name, type=whole_number, default=value, help=f"{words} ({value})")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="MS", help="a distant server (0)"
    )
    parser.add_argument(
        "--peers", type=_names, default=tuple(PEERS), help=f"some of {','.join(PEERS)}, or none"
    )
    parser.add_argument(
        "--server", choices=("any", "nginx", "sandbox"), default="any", help="nginx if there is one"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(text.split(","))
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
