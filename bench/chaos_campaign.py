"""Whether a campaign loses nobody while everything breaks: ``python -m bench.chaos_campaign``.

`./carillon chaos` is the same. It sends one campaign undisturbed and one disturbed, both through
POST /v1/messages, and compares the ledger with what the gateways recorded. It ends with 1 when a
promise is broken, and says which. `./carillon chaos http2` is for the sender core alone.
"""

import argparse
import contextlib
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import orjson

from api.services.pair import say_on_stderr
from bench.audience import Crowd, add_credentials, load
from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.numbers import number_between, whole_number
from bench.platform import durability
from bench.table import table
from bench.turmoil.books import reckon
from bench.turmoil.ordeal import Ordeal, Sent
from bench.turmoil.plan import Kind, Pace, make_plan
from bench.turmoil.servers import EMBEDDED, RABBITMQ, SYSTEM, Servers, open_servers
from bench.turmoil.stage import Settings, Stage, open_stage
from bench.turmoil.verdict import AT_MOST_ONCE, POLICIES, SECONDS_PER_KILL, Case, broken
from core.errors import CarillonError

_STATE = Path(__file__).resolve().parents[1] / ".carillon" / "chaos"
_QUOTA_PER_MINUTE = 6_000_000
# Answers that take their time, so that windows are open at any moment.
_LATENCY_MS = {"p50": 150.0, "p99": 500.0, "max": 1_000.0}
# How much longer than it may take a campaign is waited for.
_PATIENCE_SECONDS = 60.0
_DEVICES_PER_KILL = 100
_FASTEST = 2_000.0
_SHORTEST_LEASE, _LONGEST_LEASE = 6.0, 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for on the command line."""

    devices: int
    kills: int
    seed: int
    policy: str
    rate: float
    workers: int
    lease: float
    in_doubt: int
    database: str
    broker: str
    json: bool
    logs: Path | None


def main(arguments: Sequence[str]) -> int:
    """Send, disturb, judge, and print what was found."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    if given["devices"] < _DEVICES_PER_KILL * given["kills"]:
        parser.error(f"--devices: give {_DEVICES_PER_KILL} or more for each of --kills")
    if given["seed"] is None:
        given["seed"] = random.randrange(1 << 32)  # noqa: S311
    options = Options(**given)
    try:
        with ending_on_signals():
            found, faults = measure(options)
    except (BenchError, CarillonError) as error:
        sys.stderr.write(f"carillon: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print(orjson.dumps(found).decode() if options.json else table(found), flush=True)
    for fault in faults:
        say_on_stderr(f"BROKEN: {fault} (seed {options.seed}, {options.policy})")
    if not faults:
        say_on_stderr("kept: nobody is lost, and what was in doubt stayed within its bound")
    return 1 if faults else 0


def measure(options: Options) -> tuple[dict[str, Any], Sequence[str]]:
    """Run both campaigns; return the figures, and in words which promises were broken."""
    load_average = [round(value, 2) for value in os.getloadavg()]
    settings = Settings(options.workers, Pace(options.lease), options.in_doubt, _LATENCY_MS)
    with (
        open_servers(_STATE, options.database, options.broker) as servers,
        _keeping_logs(servers.book.folder, options.logs),
        open_stage(servers, settings) as stage,
    ):
        add_credentials(stage.site, _QUOTA_PER_MINUTE)
        load(stage.site, Crowd("c", options.devices))
        calm = _undisturbed(stage, options)
        say_on_stderr(f"undisturbed it takes {calm.seconds:.1f} s")
        case, made = _disturbed(stage, options, calm.seconds)
        conditions = {
            "cpus": os.cpu_count(),
            "load_average_before": load_average,
            **durability(servers.urls.database_url),
            **_conditions(options, servers),
        }
    faults = [f"undisturbed: {words} {calm.found.unknown_reasons}" for words in broken(calm, 0)]
    faults += broken(case, options.kills)
    return {**_figures(case, options), "disturbances": made, "conditions": conditions}, faults


@contextlib.contextmanager
def _keeping_logs(folder: Path, wanted: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        if wanted is not None:
            shutil.copytree(folder / "logs", wanted, dirs_exist_ok=True)


def _undisturbed(stage: Stage, options: Options) -> Case:
    patience = 3 * options.devices / options.rate + _PATIENCE_SECONDS
    sent = Sent(options.policy, options.rate, options.devices, patience)
    books, _ = Ordeal(stage, sent).run(())
    return Case(
        policy=options.policy,
        found=reckon(books),
        kills=0,
        kills_in_flight=0,
        in_doubt_bound=options.in_doubt,
        seconds=books.seconds,
        undisturbed_seconds=books.seconds,
        is_finished=books.is_finished,
    )


def _disturbed(
    stage: Stage, options: Options, undisturbed_seconds: float
) -> tuple[Case, list[dict[str, Any]]]:
    plan = make_plan(options.seed, options.kills, _kinds(stage.servers), Pace(options.lease))
    patience = undisturbed_seconds + SECONDS_PER_KILL * options.kills + _PATIENCE_SECONDS
    sent = Sent(options.policy, options.rate, options.devices, patience)
    books, made = Ordeal(stage, sent).run(plan)
    case = Case(
        policy=options.policy,
        found=reckon(books),
        kills=len(made),
        kills_in_flight=sum(one["in_flight"] for one in made),
        in_doubt_bound=options.in_doubt,
        seconds=books.seconds,
        undisturbed_seconds=undisturbed_seconds,
        is_finished=books.is_finished,
    )
    return case, made


def _kinds(servers: Servers) -> list[Kind]:
    """Return what may be disturbed: servers that are not ours are not stopped."""
    lacking = {Kind.DATABASE_DISCONNECT if servers.database else Kind.DATABASE_RESTART}
    if servers.broker is None:
        lacking.add(Kind.BROKER_STOP)
    return [kind for kind in Kind if kind not in lacking]


def _figures(case: Case, options: Options) -> dict[str, Any]:
    found = asdict(case.found)
    names = (
        *("targeted", "terminal", "accepted", "accepted_at_gateway"),
        *("lost", "duplicates", "unknown"),
    )
    return {
        **{name: found.pop(name) for name in names},
        "kills": case.kills,
        "kills_in_flight": case.kills_in_flight,
        "in_doubt_bound": case.in_doubt_bound,
        "seconds": round(case.seconds, 2),
        "undisturbed_seconds": round(case.undisturbed_seconds, 2),
        "limit_seconds": round(case.limit_seconds, 2),
        "seed": options.seed,
        "policy": options.policy,
        **found,
    }


def _conditions(options: Options, servers: Servers) -> Mapping[str, Any]:
    pace = Pace(options.lease)
    return {
        **servers.names,
        "rate": options.rate,
        "workers": options.workers,
        "lease_seconds": pace.lease,
        "lease_margin_seconds": pace.lease_margin,
        "request_timeout_seconds": pace.request_timeout,
        "latency_ms": _LATENCY_MS,
    }


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"carillon: {message}; ./carillon chaos campaign --help lists them\n")


def _server(*names: str, scheme: str) -> Callable[[str], str]:
    """Return a reader of one of these names or of a URL."""

    def read(text: str) -> str:
        with contextlib.suppress(ValueError):
            parts = urlsplit(text)
            if text in names or (
                parts.scheme.split("+")[0] == scheme and parts.hostname and parts.port != 0
            ):
                return text
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither {', '.join(names)} nor a URL such as {scheme}://user:secret@host"
        )

    return read


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="./carillon chaos", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--logs", type=Path, help="a folder that gets the logs of all processes")
    parser.add_argument("--seed", type=int, help="what all chance comes from; drawn when absent")
    parser.add_argument(
        "--policy",
        choices=POLICIES,
        default=AT_MOST_ONCE,
        help=f"what becomes of whom is in doubt ({AT_MOST_ONCE})",
    )
    numbers = {
        "--devices": (whole_number, 20_000, "how many get the campaign"),
        "--kills": (whole_number, 10, "how many disturbances are made on its way"),
        "--rate": (number_between(1.0, _FASTEST), _FASTEST, "pushes a second, at most"),
        "--workers": (whole_number, 2, "campaign workers"),
        "--lease": (
            number_between(_SHORTEST_LEASE, _LONGEST_LEASE), 20.0,
            "seconds of a lease; pauses and time limits follow from it",
        ),
        "--in-doubt": (whole_number, 2_000, "how many a worker may have in doubt"),
    }  # fmt: skip
    for name, (kind, value, words) in numbers.items():
        parser.add_argument(name, type=kind, default=value, help=f"{words} ({value:g})")
    servers = (("--database", SYSTEM, "postgresql"), ("--broker", RABBITMQ, "amqp"))
    for name, other, scheme in servers:
        parser.add_argument(
            name,
            type=_server(EMBEDDED, other, scheme=scheme),
            default=EMBEDDED,
            help=f"{EMBEDDED}; {other}: one of our own, from this system's package; or the URL "
            "of somebody else's, which is not stopped",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
