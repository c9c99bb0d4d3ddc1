"""Asks rules of a town: how long counts, waterfalls and audiences take, and whether they are so."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from sqlalchemy import Engine, text

from bench.errors import BenchError
from bench.town.rules import RULES, SEGMENTS, Document
from campaigns.audience import source_of
from core.database import rows
from delivery import fanout
from delivery.messages import repository as messages
from delivery.messages.message import NewMessage
from segments.definitions.segment import NewSegment
from segments.definitions.service import create
from segments.reach.waterfall import count_reach
from segments.rules.evaluate import evaluate
from segments.rules.moments import Clock
from segments.rules.node import Node
from segments.rules.parsing import parse_rule
from segments.rules.references import resolve
from segments.rules.repository import count_people, plan_for_rules, read_facts
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text
from segments.rules.timing import asking

# Longer than any answer may take, so that a slow one is measured and not stopped.
LIMIT_SECONDS: Final = 120.0
LARGEST: Final = 10
CHUNK_SIZE: Final = 1_000
_FACTS_AT_ONCE = 500


@dataclass(slots=True)
class Answers:
    """Milliseconds by the name of the rule, the last count of each, and what was checked."""

    counts: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waterfalls: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    largest: dict[str, tuple[int, Document]] = field(default_factory=dict)
    checked: int = 0


def ask(engine: Engine, app_id: int, repeats: int, sample: int) -> Answers:
    """Ask every rule so many times for a count and for a waterfall, always with new literals.

    The counts of the first round are checked: see `_check`.
    """
    rng, answers = Random(), Answers()  # noqa: S311  Nothing secret is drawn.
    people = _some_people(engine, app_id, sample)
    for turn in range(repeats):
        for name, make in RULES.items():
            began = time.perf_counter()
            document = make(rng)
            rule, scope = read(document), Scope(app_id, Clock(datetime.now(UTC)))
            with engine.begin() as connection, asking(connection, LIMIT_SECONDS):
                count = count_people(connection, rule, scope)
            answers.counts[name].append((time.perf_counter() - began) * 1e3)
            answers.largest[name] = count, document
            if turn == 0:
                _check(engine, (name, rule, scope), count, people)
                answers.checked += 1
            began = time.perf_counter()
            rule, scope = read(make(rng)), Scope(app_id, Clock(datetime.now(UTC)))
            with engine.begin() as connection, asking(connection, LIMIT_SECONDS):
                count_reach(connection, rule, scope)
            answers.waterfalls[name].append((time.perf_counter() - began) * 1e3)
    return answers


def read(document: Document) -> Node:
    """Return a rule with the segments it names."""
    segments = {name: parse_rule(rule) for name, rule in SEGMENTS.items()}
    return resolve(parse_rule(document), lambda names: {name: segments[name] for name in names})


def _some_people(engine: Engine, app_id: int, sample: int) -> list[int]:
    with engine.connect() as connection:
        found = rows(
            connection,
            "SELECT id FROM person WHERE app_id = :app_id ORDER BY random() LIMIT :sample",
            app_id=app_id,
            sample=sample,
        )
    return [row.id for row in found]


def _check(
    engine: Engine, asked: tuple[str, Node, Scope], count: int, people: Sequence[int]
) -> None:
    """Compare a count with the pure evaluator: how many of some people, all of them if few."""
    name, rule, scope = asked
    matched, values = as_text(select_people(rule, scope))
    statement = f"""
        WITH matched AS MATERIALIZED ({matched})
        SELECT count(*) AS people, array_agg(id) FILTER (WHERE id = ANY(:sample)) AS ids
        FROM matched
    """  # noqa: S608  Both parts are ours.
    with engine.begin() as connection:
        plan_for_rules(connection)
        found = rows(connection, statement, sample=list(people), **values)[0]
        wanted = {
            key
            for some in _parts(people)
            for key, one in read_facts(connection, rule, scope, some).items()
            if evaluate(rule, one, scope.clock)
        }
    if found.people != count or set(found.ids or ()) != wanted:
        raise BenchError(
            f"{name}: counted {count}, then {found.people}; of {len(people)} people "
            f"{len(found.ids or ())} in SQL and {len(wanted)} by the evaluator"
        )


def _parts(people: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(people), _FACTS_AT_ONCE):
        yield people[first : first + _FACTS_AT_ONCE]


def cut_largest(engine: Engine, app_id: int, answers: Answers) -> Mapping[str, float]:
    """Cut messages to the largest segments into chunks; return the seconds each took."""
    found = sorted(answers.largest.items(), key=lambda item: -item[1][0])[:LARGEST]
    return {name: _cut(engine, app_id, document) for name, (_, document) in found}


def _cut(engine: Engine, app_id: int, document: Document) -> float:
    audience = _stored(engine, app_id, document)
    began = time.perf_counter()
    with engine.begin() as connection:
        due = messages.create(connection, app_id, audience)
        fanout.cut(connection, due, source_of(connection, app_id, due.audience), CHUNK_SIZE)
    return time.perf_counter() - began


def _stored(engine: Engine, app_id: int, document: Document) -> NewMessage:
    """Store a segment and return a message to it."""
    with engine.begin() as connection:
        named = _ids_of_segments(connection, app_id)
        new = NewSegment(name="bench", description=None, rule=_renamed(document, named))
        segment = create(connection, app_id, new, "bench")
    return NewMessage(
        lane="campaign",
        type="push",
        policy="at_most_once",
        content={"title": "Hello"},
        audience={"segment": segment.public_id},
        ttl_seconds=3_600,
        collapse_id=None,
        priority="high",
        rate_per_second=None,
        send_at=None,
    )


def _ids_of_segments(connection: Any, app_id: int) -> dict[str, str]:
    stored = {
        row.name: row.public_id
        for row in connection.execute(text("SELECT name, public_id FROM segment"))
    }
    for name, rule in SEGMENTS.items():
        if name not in stored:
            new = NewSegment(name=name, description=None, rule=rule)
            stored[name] = create(connection, app_id, new, "bench").public_id
    return stored


def _renamed(document: Any, names: Mapping[str, str]) -> Any:
    if isinstance(document, list):
        return [_renamed(one, names) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        key: names[value] if key == "segment" else _renamed(value, names)
        for key, value in document.items()
    }
