"""Who is meant by a rule: some of them, one of them explained, all of them, two rules together."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from core.database import rows
from core.errors import NotFoundError
from segments.people.person import Person
from segments.people.repository import find_by_ids
from segments.reach.past import as_then
from segments.rules.explaining import Finding, explain
from segments.rules.mentions import find_mentions
from segments.rules.node import Node
from segments.rules.repository import plan_for_rules, read_facts
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text

# With attributes as large as they may be, 16 MB: an export holds a batch of them in memory.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many people are meant by the first of two rules, by the second, and by both."""

    first: int
    second: int
    both: int


def sample(connection: Connection, rule: Node, scope: Scope, limit: int) -> list[Person]:
    """Return some of the people a rule holds for, chosen by chance."""
    matched, values = as_text(select_people(rule, scope))
    if scope.is_past:
        statement = f"{_people(matched)} ORDER BY random() LIMIT :limit"
        asked, own = as_then(scope, statement)
        return [Person(*row) for row in rows(connection, asked, limit=limit, **values, **own)]
    statement = f"SELECT id FROM ({matched}) m ORDER BY random() LIMIT :limit"  # noqa: S608
    ids = [row.id for row in rows(connection, statement, limit=limit, **values)]
    people = {one.id: one for one in find_by_ids(connection, scope.app_id, ids)}
    return [people[one] for one in ids if one in people]


def explain_person(connection: Connection, rule: Node, scope: Scope, person: Person) -> Finding:
    """Return whether a rule holds for one person, node by node."""
    if find_mentions(rule).rankings:
        # These rank everybody.
        plan_for_rules(connection)
    facts = read_facts(connection, rule, scope, [person.id])
    if person.id not in facts:
        # Merged away at this moment, or not there yet at the one that is asked about.
        raise NotFoundError("There was no such person at that moment.")
    return explain(rule, facts[person.id], scope.clock)


def overlap(connection: Connection, first: Node, second: Node, scope: Scope) -> Overlap:
    """Count the people of two rules, and those of both."""
    one, one_values = as_text(select_people(first, scope), "first_")
    other, other_values = as_text(select_people(second, scope), "second_")
    statement = f"""
        SELECT count(a.id) AS first, count(b.id) AS second,
               count(*) FILTER (WHERE a.id IS NOT NULL AND b.id IS NOT NULL) AS both_of
        FROM ({one}) a FULL JOIN ({other}) b ON b.id = a.id
    """  # noqa: S608  All parts are ours.
    return Overlap(*rows(connection, statement, **one_values, **other_values)[0])


def stream(
    connection: Connection, rule: Node, scope: Scope
) -> Generator[Sequence[Any], None, None]:
    """Yield the people a rule holds for, some hundred at once, in the order they were made.

    Each row has the fields of `Person`. They are read as the caller goes on: the connection must
    stay open, and all rows are of one moment. Who does not read to the end closes it.
    """
    matched, values = as_text(select_people(rule, scope))
    asked, own = as_then(scope, f"{_people(matched)} ORDER BY p.id")
    lazy = connection.execution_options(stream_results=True, yield_per=_BATCH)
    with lazy.execute(text(asked), {**values, **own}) as found:
        yield from found.partitions(_BATCH)


def _people(matched: str) -> str:
    """Return the statement of the people who are matched, in the columns of `Person`."""
    columns = ", ".join(f"p.{name}" for name in Person.__dataclass_fields__)
    return f"""
        SELECT {columns} FROM person p JOIN ({matched}) m ON m.id = p.id
        WHERE p.app_id = :app_id
    """  # noqa: S608  All parts are ours.
