"""Whom a rule meant at a past moment: attributes, consents, events and messages as of then.

What no history is kept of is taken as it is today: `by_today` says which nodes ask for that.
"""

from typing import Any, Final

from sqlalchemy import Connection

from core.database import rows
from segments.history.as_of import PEOPLE_AS_OF
from segments.rules.mentions import walk_all
from segments.rules.node import Device, Node, OnList, Person
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text

_OF_TODAY: Final = frozenset({"last_seen", "has_device"})
# In the rule's own statement, these stand before the tables of the same names.
_THEN = f"""
WITH person AS MATERIALIZED (
    SELECT CAST(:app_id AS bigint) AS app_id, t.* FROM ({PEOPLE_AS_OF}) t),
consent AS MATERIALIZED (
    SELECT DISTINCT ON (person_id, kind) app_id, person_id, kind, granted
    FROM consent_change WHERE app_id = :app_id AND at <= :moment
    ORDER BY person_id, kind, id DESC)
"""  # noqa: S608  Both parts are ours.


def as_then(scope: Scope, statement: str) -> tuple[str, dict[str, Any]]:
    """Return a statement about people that is asked as of the scope's moment, and its values."""
    values: dict[str, Any] = {"app_id": scope.app_id}
    if not scope.is_past:
        return statement, values
    return f"{_THEN} {statement}", {**values, "moment": scope.clock.now, "ids": None}


def count_then(connection: Connection, rule: Node, scope: Scope) -> int:
    """Return how many people a rule held for at the moment of the scope's clock."""
    matched, values = as_text(select_people(rule, scope))
    statement = f"SELECT count(*) FROM ({matched}) m"  # noqa: S608  All parts are ours.
    asked, own = as_then(scope, statement)
    return int(rows(connection, asked, **values, **own)[0][0])


def by_today(rule: Node) -> tuple[str, ...]:
    """Return the pointers of nodes that are answered by what is so today."""
    return tuple(
        one.pointer
        for one in walk_all(rule)
        if isinstance(one, Device | OnList) or (isinstance(one, Person) and one.about in _OF_TODAY)
    )
