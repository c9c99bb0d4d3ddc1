"""Reads what rules ask of people: who a rule holds for, and the facts of a few by themselves."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from core.database import rows
from delivery.deliveries.tables import ledger
from delivery.receipts.tables import receipt
from delivery.successors.tables import person_successor
from delivery.tables import app, device, message, target
from segments.history.as_of import PEOPLE_AS_OF
from segments.rules.canonical import ranking_key
from segments.rules.evaluate import SENT_STATES
from segments.rules.facts import DeviceFacts, EventFacts, Facts, Measure, MessageFacts
from segments.rules.mentions import find_mentions
from segments.rules.node import Node, Ranking
from segments.rules.sql.binding import Truth, bound
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sets import rank_bounds
from segments.rules.sql.sources import Scope
from segments.tables import consent, event, list_member, person, segment_list

# What rules need of the planner, in their own transaction: whole sets are hashed in memory, and
# each statement is planned for its own values.
PLANNING: Mapping[str, str] = {
    "jit": "off",
    "work_mem": "128MB",
    "plan_cache_mode": "force_custom_plan",
    "enable_nestloop": "off",
    "parallel_setup_cost": "100",
    "parallel_tuple_cost": "0.005",
}

Ids = Sequence[int]


def plan_for_rules(connection: Connection) -> None:
    """Set the planner up for rules, until the transaction ends."""
    for name, value in PLANNING.items():
        connection.execute(sa.select(sa.func.set_config(name, value, True)))  # noqa: FBT003


def count_people(connection: Connection, rule: Node, scope: Scope) -> int:
    """Return how many people a rule holds for."""
    matched = select_people(rule, scope).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(matched)) or 0


class TooMuchDoneError(Exception):
    """These people did more together than is read at once."""


def read_facts(
    connection: Connection, rule: Node, scope: Scope, ids: Ids, *, most_events: int | None = None
) -> Mapping[int, Facts]:
    """Return what a rule asks of the people with these inner ids; the rest is left empty.

    Raises `TooMuchDoneError` when they have done more than `most_events` of what is asked about.
    """
    mentions = find_mentions(rule)
    app_id = scope.app_id
    about = mentions.about
    has_devices = mentions.devices or "has_device" in about
    devices = _devices(connection, app_id, ids) if has_devices else {}
    has_consents = not about.isdisjoint({"push_consent", "analytics_consent"})
    consents = _consents(connection, scope, ids) if has_consents else {}
    seen = _last_seen(connection, app_id, ids) if "last_seen" in about else {}
    events = _events(connection, scope, ids, mentions.events, most_events)
    messages = _messages(connection, app_id, ids) if mentions.messages else {}
    lists = _lists(connection, app_id, ids) if mentions.lists else {}
    rankings = {
        ranking_key(ranking): read_bounds(connection, ranking, scope)
        for ranking in mentions.rankings
    }
    return {
        row.id: Facts(
            external_id=row.external_id,
            created_at=row.created_at,
            attributes=parse_json(row.attributes),
            locale=row.locale,
            time_zone=row.time_zone,
            country=row.country,
            last_seen_at=seen.get(row.id),
            consents=consents.get(row.id, {}),
            devices=devices.get(row.id, ()),
            events=events.get(row.id, ()),
            messages=messages.get(row.id, ()),
            lists=frozenset(lists.get(row.id, ())),
            rankings=rankings,
        )
        for row in _people(connection, scope, ids)
    }


def read_bounds(connection: Connection, ranking: Ranking, scope: Scope) -> tuple[Measure, ...]:
    """Return the values above which the scores from 2 on begin."""
    found = connection.execute(rank_bounds(ranking, scope)).scalars()
    return tuple(Fraction(one) if isinstance(one, Decimal) else one for one in found)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text with every number as exact as it was written."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _among(column: ColumnElement[Any], ids: Ids) -> Truth:
    """Tell whether an id is one of some: one parameter, however many they are."""
    return column == sa.any_(bound(list(ids), sa.ARRAY(sa.BigInteger)))


# The same as of a past moment.
_PEOPLE_THEN = f"""
SELECT t.id, t.external_id, t.created_at, t.locale, t.time_zone, t.country,
       t.attributes::text AS attributes
FROM ({PEOPLE_AS_OF}) t
"""  # noqa: S608  Both parts are ours.
_CONSENTS_THEN = """
SELECT DISTINCT ON (person_id, kind) person_id, kind, granted FROM consent_change
WHERE app_id = :app_id AND person_id = ANY(:ids) AND at <= :moment
ORDER BY person_id, kind, id DESC
"""


def _people(connection: Connection, scope: Scope, ids: Ids) -> Sequence[Any]:
    app_id = scope.app_id
    if scope.is_past:
        values = {"app_id": app_id, "moment": scope.clock.now, "ids": list(ids)}
        return rows(connection, _PEOPLE_THEN, **values)
    columns = (person.c.id, person.c.external_id, person.c.created_at, person.c.locale)
    attributes = sa.cast(person.c.attributes, sa.Text).label("attributes")
    statement = sa.select(*columns, person.c.time_zone, person.c.country, attributes)
    return connection.execute(
        statement.where(person.c.app_id == app_id, _among(person.c.id, ids))
    ).all()


def _grouped(rows: Any) -> dict[int, list[Any]]:
    """Return the rest of each row by its first column."""
    grouped: defaultdict[int, list[Any]] = defaultdict(list)
    for key, *rest in rows:
        grouped[key].append(rest)
    return grouped


def _devices(connection: Connection, app_id: int, ids: Ids) -> dict[int, list[DeviceFacts]]:
    columns = (
        device.c.platform,
        sa.func.array_agg(target.c.provider),
        device.c.created_at,
        device.c.app_version,
        device.c.os_version,
        device.c.model,
        device.c.locale,
        device.c.permission,
        device.c.last_seen_at,
    )
    statement = (
        sa.select(device.c.person_id, *columns)
        .join(
            target,
            sa.and_(target.c.app_id == device.c.app_id, target.c.device_id == device.c.id),
        )
        .where(
            device.c.app_id == app_id, _among(device.c.person_id, ids), target.c.state != "retired"
        )
        .group_by(device.c.app_id, device.c.id)
    )
    return {
        key: [DeviceFacts(row[0], frozenset(row[1]), *row[2:]) for row in rows]
        for key, rows in _grouped(connection.execute(statement)).items()
    }


def _last_seen(connection: Connection, app_id: int, ids: Ids) -> dict[int, Any]:
    statement = (
        sa.select(device.c.person_id, sa.func.max(device.c.last_seen_at))
        .where(device.c.app_id == app_id, _among(device.c.person_id, ids))
        .group_by(device.c.person_id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def _consents(connection: Connection, scope: Scope, ids: Ids) -> dict[int, dict[str, bool]]:
    app_id = scope.app_id
    defaults = connection.execute(
        sa.select(app.c.push_by_default, app.c.analytics_by_default).where(app.c.id == app_id)
    ).one()
    given = {"push": defaults[0], "analytics": defaults[1]}
    consents = {key: dict(given) for key in ids}
    said = sa.select(consent.c.person_id, consent.c.kind, consent.c.granted).where(
        consent.c.app_id == app_id, _among(consent.c.person_id, ids)
    )
    values = {"app_id": app_id, "moment": scope.clock.now, "ids": list(ids)}
    known: Iterable[Any] = (
        rows(connection, _CONSENTS_THEN, **values) if scope.is_past else connection.execute(said)
    )
    for key, kind, granted in known:
        consents[key][kind] = granted
    return consents


def _events(
    connection: Connection, scope: Scope, ids: Ids, names: frozenset[str], most: int | None
) -> dict[int, list[EventFacts]]:
    properties = sa.cast(event.c.properties, sa.Text)
    statement = sa.select(event.c.person_id, event.c.name, event.c.at, properties).where(
        event.c.app_id == scope.app_id,
        _among(event.c.person_id, ids),
        event.c.name.in_(names),
        event.c.at <= scope.clock.now,
    )
    if most is not None:
        statement = statement.limit(most + 1)
    done = connection.execute(statement).all() if names else []
    if most is not None and len(done) > most:
        raise TooMuchDoneError
    found = _grouped(done)
    return {
        key: [EventFacts(name, at, parse_json(text)) for name, at, text in rows]
        for key, rows in found.items()
    }


def _messages(connection: Connection, app_id: int, ids: Ids) -> dict[int, list[MessageFacts]]:
    # The ledger keeps the ids of people who became one with these since.
    old = sa.select(person_successor.c.person_id, person_successor.c.into_id).where(
        person_successor.c.app_id == app_id, _among(person_successor.c.into_id, ids)
    )
    owners = {one: one for one in ids} | {row[0]: row[1] for row in connection.execute(old)}
    ended = _of_messages(ledger, ledger.c.state, app_id, list(owners))
    reported = _of_messages(receipt, receipt.c.milestone, app_id, list(owners))
    statement = sa.union_all(ended.where(ledger.c.state.in_(SENT_STATES)), reported)
    found: defaultdict[int, list[MessageFacts]] = defaultdict(list)
    for key, *row in connection.execute(statement):
        found[owners[key]].append(MessageFacts(*row))
    return found


def _of_messages(table: sa.Table, state: ColumnElement[str], app_id: int, ids: Ids) -> Any:
    return (
        sa.select(table.c.person_id, message.c.public_id, state, table.c.at)
        .join(
            message,
            sa.and_(message.c.app_id == table.c.app_id, message.c.id == table.c.message_id),
        )
        .where(table.c.app_id == app_id, _among(table.c.person_id, ids))
    )


def _lists(connection: Connection, app_id: int, ids: Ids) -> dict[int, list[str]]:
    statement = (
        sa.select(list_member.c.person_id, segment_list.c.public_id)
        .join(
            segment_list,
            sa.and_(
                segment_list.c.app_id == list_member.c.app_id,
                segment_list.c.id == list_member.c.list_id,
            ),
        )
        .where(list_member.c.app_id == app_id, _among(list_member.c.person_id, ids))
    )
    found = _grouped(connection.execute(statement))
    return {key: [row[0] for row in rows] for key, rows in found.items()}
