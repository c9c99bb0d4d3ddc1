"""How long exact counts of segments, their waterfalls and their audiences take.

``python -m bench.segments``; `./carillon bench segments` is the same. Nothing is cached between two
questions but what PostgreSQL itself keeps of tables.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, text

from api.commands.migrate import migrate
from api.services.pair import EmbeddedOptions, embedded_pair
from bench.children import ending_on_signals
from bench.errors import BenchError
from bench.numbers import whole_number
from bench.platform import durability
from bench.probes import percentile
from bench.table import table
from bench.town.asking import Answers, ask, cut_largest
from bench.town.filling import Town, fill
from bench.town.rules import RULES
from core.database import open_engine

_SHOWN = 10
_COMPARED = (
    "people",
    "events",
    "p50_ms",
    "p95_ms",
    "max_ms",
    "waterfall_p95_ms",
    "audience_seconds",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    args = _parser().parse_args(arguments)
    try:
        with ending_on_signals():
            found = measure(args)
    except BenchError as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 1
    print(orjson.dumps(found).decode() if args.json else table(found))
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Fill a town, ask all rules of it, and return the figures; perhaps a smaller one before."""
    town = Town(args.people, args.events or args.people * 10)
    if args.against is None:
        return _measure(town, args, args.keep)
    if not args.against < args.people:
        raise BenchError("--against: must be fewer than --people")
    small = Town(args.against, town.events * args.against // town.people)
    kept = None if args.keep is None else args.keep / f"of-{args.against}"
    before, after = _measure(small, args, kept), _measure(town, args, args.keep)
    return {**after, **_growth(before, after)}


def _growth(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many times longer the rules take in the larger of two towns."""
    times = {
        name: round(after["counts"][name] / one, 1) for name, one in before["counts"].items() if one
    }
    return {
        "against": {name: before[name] for name in _COMPARED},
        "growth_people": round(after["people"] / before["people"], 1),
        "growth_p50": round(statistics.median(times.values()), 1),
        "growth_p95_ms": round(after["p95_ms"] / before["p95_ms"], 1),
        "growth_largest": dict(sorted(times.items(), key=lambda item: -item[1])[:_SHOWN]),
    }


def _measure(town: Town, args: argparse.Namespace, kept: Path | None) -> dict[str, Any]:
    with _folder(kept) as folder:
        options = EmbeddedOptions(folder / "servers", fresh=kept is None)
        with embedded_pair(options) as pair:
            migrate(pair.database_url)
            engine = open_engine(pair.database_url, pool_size=2, process="bench")
            try:
                filled = _filled(engine, town)
                conditions = {
                    "cpus": os.cpu_count(),
                    "load_average_before": [round(one, 2) for one in os.getloadavg()],
                    **durability(pair.database_url),
                    **_sizes(engine),
                    "repeats": args.repeats,
                    "sample": args.sample,
                    "fill_seconds": filled,
                }
                return {**_figures(engine, town, args), "conditions": conditions}
            finally:
                engine.dispose()


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(mode=0o755, parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        # The database's own user has to get through.
        Path(name).chmod(0o755)
        yield Path(name)


def _filled(engine: Engine, town: Town) -> float:
    """Fill the town unless it is there; return the seconds it took."""
    with engine.connect() as connection:
        present = connection.execute(text("SELECT count(*) FROM person")).scalar_one()
    if present == town.people:
        return 0.0
    if present:
        raise BenchError(f"the town that was kept has {present} people, not {town.people}")
    _say(f"filling a town of {town.people:,} people with {town.events:,} events")
    began = time.monotonic()
    fill(engine, town)
    return round(time.monotonic() - began, 1)


def _sizes(engine: Engine) -> dict[str, int]:
    """Count what else there is; raises `BenchError` when the roll-up is not equal to the events."""
    with engine.connect() as connection:
        counts = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            for name in ("device", "ledger", "consent", "event_day", "event_total")
        }
        wrong = connection.execute(text(_WRONG_DAYS)).scalar_one()
    if wrong:
        raise BenchError(f"{wrong} rows of the roll-ups are not equal to the events")
    return {f"{name}_rows": count for name, count in counts.items()}


# Of a few people, all days and totals: those that are in one and not in the other.
_WRONG_DAYS = """
WITH few AS MATERIALIZED (SELECT app_id, id FROM person ORDER BY random() LIMIT 200),
counted AS (
    SELECT e.person_id, e.name, (e.at AT TIME ZONE 'UTC')::date AS day, count(*) AS events,
           min(e.at) AS first_at, max(e.at) AS last_at
    FROM event e JOIN few f ON f.app_id = e.app_id AND f.id = e.person_id GROUP BY 1, 2, 3),
kept AS (
    SELECT d.person_id, d.name, d.day, d.events, d.first_at, d.last_at
    FROM event_day d JOIN few f ON f.app_id = d.app_id AND f.id = d.person_id),
in_all AS (
    SELECT person_id, name, sum(events) AS events, min(first_at) AS first_at,
           max(last_at) AS last_at
    FROM counted GROUP BY 1, 2),
totals AS (
    SELECT t.person_id, t.name, t.events, t.first_at, t.last_at
    FROM event_total t JOIN few f ON f.app_id = t.app_id AND f.id = t.person_id)
SELECT count(*) FROM (
    (SELECT * FROM counted EXCEPT SELECT * FROM kept)
    UNION ALL (SELECT * FROM kept EXCEPT SELECT * FROM counted)
    UNION ALL (SELECT person_id, name, NULL, events, first_at, last_at FROM (
        (SELECT * FROM in_all EXCEPT SELECT * FROM totals)
        UNION ALL (SELECT * FROM totals EXCEPT SELECT * FROM in_all)) AS t)) AS wrong
"""


def _figures(engine: Engine, town: Town, args: argparse.Namespace) -> dict[str, Any]:
    with engine.connect() as connection:
        app_id = connection.execute(text("SELECT id FROM app")).scalar_one()
        events = connection.execute(text("SELECT count(*) FROM event")).scalar_one()
    _say(f"asking {len(RULES)} rules {args.repeats} times")
    answers = ask(engine, app_id, args.repeats, args.sample)
    _say("cutting the largest audiences")
    audiences = cut_largest(engine, app_id, answers)
    counts = [one for some in answers.counts.values() for one in some]
    waterfalls = [one for some in answers.waterfalls.values() for one in some]
    return {
        "people": town.people,
        "events": events,
        "rules": len(RULES),
        "p50_ms": round(percentile(counts, 0.5), 1),
        "p95_ms": round(percentile(counts, 0.95), 1),
        "max_ms": round(max(counts), 1),
        "waterfall_p95_ms": round(percentile(waterfalls, 0.95), 1),
        "audience_seconds": round(max(audiences.values()), 2),
        "checked": answers.checked,
        "waterfall_max_ms": round(max(waterfalls), 1),
        "audiences": {name: round(took, 2) for name, took in audiences.items()},
        "counts": {name: round(statistics.median(one), 2) for name, one in answers.counts.items()},
        **_by_rule(answers, every=args.all),
    }


def _by_rule(answers: Answers, *, every: bool) -> dict[str, Any]:
    def slowest(times: Mapping[str, Sequence[float]]) -> dict[str, list[int]]:
        found = {
            name: [round(statistics.median(some)), round(max(some))] for name, some in times.items()
        }
        ordered = sorted(found.items(), key=lambda item: -item[1][1])
        return dict(ordered if every else ordered[:_SHOWN])

    return {
        "slowest_counts": slowest(answers.counts),
        "slowest_waterfalls": slowest(answers.waterfalls),
    }


def _say(words: str) -> None:
    print(f"carillon: {words}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="carillon bench segments", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument(
        "--people", type=whole_number, default=100_000, help="people of the town (100,000)"
    )
    parser.add_argument(
        "--events", type=whole_number, help="what they did in 180 days (ten for each of them)"
    )
    parser.add_argument(
        "--repeats", type=whole_number, default=3, help="how often each rule is asked (3)"
    )
    parser.add_argument(
        "--sample", type=whole_number, default=1_000, help="people the evaluator checks (1,000)"
    )
    parser.add_argument("--all", action="store_true", help="show the times of all rules")
    parser.add_argument(
        "--against",
        type=whole_number,
        help="people of a smaller town, asked first, to compare with",
    )
    parser.add_argument("--keep", type=Path, help="a folder to keep the town in, for the next run")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
