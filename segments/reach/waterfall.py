"""How many of the people a rule means can be reached: exact, step by step, in one statement.

A step keeps those it lets through of those who came that far. Further ones (caps, quiet hours, a
holdout) are added at the end of `steps`: each is a join and a condition on people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from core.database import rows
from segments.rules.node import Node
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.rules.sql.statements import as_text
from segments.suppressions.repository import SUPPRESSED

PLATFORMS: Final = ("android", "ios", "web")


@dataclass(frozen=True, slots=True)
class Step:
    """What keeps people back. The texts are ours: `join` to `matched m`, `holds` never null."""

    name: str
    join: str
    holds: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlatformReach:
    """Those who can be reached on a platform, and on how many devices."""

    people: int
    devices: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """How many people are left after each step, the first of which is `matched`."""

    steps: Mapping[str, int]
    platforms: Mapping[str, PlatformReach]

    @property
    def matched(self) -> int:
        """How many people the rule holds for."""
        return self.steps["matched"]

    @property
    def deliverable(self) -> int:
        """How many come through all steps."""
        return list(self.steps.values())[-1]


# Devices that a message would be sent to, were it allowed (see delivery/fanout.py), and what was
# said about push. Who has no row has no device and said nothing.
_REACH = """
LEFT JOIN person_reach r ON r.app_id = :app_id AND r.person_id = m.id
"""
_GRANTED = "coalesce(r.push, (SELECT push_by_default FROM app WHERE id = :app_id))"

STEPS: Final[Sequence[Step]] = (
    Step("device", _REACH, "coalesce(r.permitted + r.silent > 0, false)", {}),
    Step("consent", "", _GRANTED, {}),
    Step("permission", "", "coalesce(r.permitted > 0, false)", {}),
    Step(
        "suppression_list",
        f"LEFT JOIN ({SUPPRESSED}) s ON s.person_id = m.id",
        "s.person_id IS NULL",
        {},
    ),
)


def count_reach(
    connection: Connection, rule: Node, scope: Scope, steps: Sequence[Step] = STEPS
) -> Waterfall:
    """Count whom a rule holds for, and how many of them are left after each step."""
    matched, values = as_text(select_people(rule, scope))
    for step in steps:
        values = {**values, **step.values}
    found = rows(connection, _statement(matched, steps), app_id=scope.app_id, **values)
    names = ["matched", *(step.name for step in steps)]
    counts = {
        name: sum(row.people for row in found if row.passed >= place)
        for place, name in enumerate(names)
    }
    through = [row for row in found if row.passed == len(steps)]
    platforms = {
        name: PlatformReach(
            sum(getattr(row, f"people_{name}") for row in through),
            sum(getattr(row, f"devices_{name}") for row in through),
        )
        for name in PLATFORMS
    }
    return Waterfall(counts, platforms)


def _statement(matched: str, steps: Sequence[Step]) -> str:
    """Return one row for each number of steps that people pass: parallel workers count by it."""
    cases = [f"WHEN NOT ({step.holds}) THEN {place}" for place, step in enumerate(steps)]
    passed = f"CASE {' '.join(cases)} ELSE {len(steps)} END" if cases else "0"
    counts = [
        f"count(*) FILTER (WHERE {name} > 0) AS people_{name}, "
        f"coalesce(sum({name}), 0) AS devices_{name}"
        for name in PLATFORMS
    ]
    platforms = [f"r.{name}" if steps else f"0 AS {name}" for name in PLATFORMS]
    return f"""
        WITH matched AS ({matched}),
        judged AS (
            SELECT {passed} AS passed, {", ".join(platforms)}
            FROM matched m {" ".join(step.join for step in steps)})
        SELECT passed, count(*) AS people, {", ".join(counts)} FROM judged GROUP BY passed
    """  # noqa: S608  All parts are ours.
