"""Stores random people with everything about them, and says the same as facts."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from segments.rules.canonical import ranking_key
from segments.rules.facts import DeviceFacts, EventFacts, Facts, Measure, MessageFacts
from segments.rules.measuring import rank_value
from segments.rules.mentions import find_mentions
from segments.rules.moments import Clock
from segments.rules.node import Node
from tests.segments.rules.worlds import LISTS, MESSAGES, Somebody

DEFAULTS = {"push": True, "analytics": False}


def dump(value: Any) -> str:
    """Return JSON with every digit of a number."""
    match value:
        case Decimal():
            return str(value)
        case list():
            return f"[{','.join(map(dump, value))}]"
        case dict():
            return (
                "{" + ",".join(f"{json.dumps(key)}:{dump(one)}" for key, one in value.items()) + "}"
            )
        case _:
            return json.dumps(value)


def external_id(index: int, person: Somebody) -> str:
    return f"{person.name}person-{index}"


class Store:
    """One app in an open transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.app_id = self._one(
            "INSERT INTO app (public_id, name, identity_secret, push_by_default,"
            " analytics_by_default) VALUES ('app_rules', 'Rules', '', true, false) RETURNING id"
        )
        self._lists = {
            name: self._one(
                "INSERT INTO segment_list (app_id, public_id, name)"
                " VALUES (:app, :name, :name) RETURNING id",
                app=self.app_id,
                name=name,
            )
            for name in LISTS
        }
        self._messages = {name: self._message(name) for name in MESSAGES}

    def _message(self, name: str) -> int:
        return self._one(
            "INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience,"
            " ttl_seconds, send_at) VALUES (:app, :name, :day, 'campaign', 'finished',"
            " 'at_most_once', '{}', '{}', 60, now()) RETURNING id",
            app=self.app_id,
            name=name,
            day=MESSAGES[name],
        )

    def add(self, people: Sequence[Somebody]) -> dict[str, int]:
        """Store people; return their ids by external id."""
        return {
            external_id(index, one): self._add(external_id(index, one), one)
            for index, one in enumerate(people)
        }

    def _add(self, name: str, one: Somebody) -> int:
        person_id = self._one(
            "INSERT INTO person (app_id, external_id, attributes, locale, time_zone, country,"
            " created_at) VALUES (:app, :name, CAST(:attributes AS jsonb), :locale, :zone,"
            " :country, :created) RETURNING id",
            app=self.app_id,
            name=name,
            attributes=dump(one.attributes),
            locale=one.locale,
            zone=one.time_zone,
            country=one.country,
            created=one.created_at,
        )
        for index, device in enumerate(one.devices):
            self._device(person_id, f"{name}-{index}", dict(device))
        for kind, granted in one.consents.items():
            self._run(
                "INSERT INTO consent (app_id, person_id, kind, granted, source)"
                " VALUES (:app, :person, :kind, :granted, 'test')",
                person=person_id,
                kind=kind,
                granted=granted,
            )
        for listed in one.lists:
            self._run(
                "INSERT INTO list_member VALUES (:app, :list, :person)",
                person=person_id,
                list=self._lists[listed],
            )
        self._done(person_id, one)
        return person_id

    def _done(self, person_id: int, one: Somebody) -> None:
        for name, at, properties in one.events:
            self._run(
                "INSERT INTO event (app_id, person_id, uuid, name, properties, at) VALUES"
                " (:app, :person, gen_random_uuid(), :name, CAST(:properties AS jsonb), :at)",
                person=person_id,
                name=name,
                properties=dump(properties),
                at=at,
            )
        # Of some messages the ledger knows the person by an id from before a merge.
        old_id = person_id + 1_000_000_000
        if max(len(one.messages), len(one.receipts)) > 1:
            sql = "INSERT INTO person_successor VALUES (:app, :old, :person)"
            self._run(sql, old=old_id, person=person_id)
        for index, (message, state, at) in enumerate(one.messages):
            self._run(
                "INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, attempt,"
                " at) VALUES (:app, :day, :message, :device, :person, :state, 1, :at)",
                person=old_id if index else person_id,
                day=MESSAGES[message],
                message=self._messages[message],
                device=person_id * 10 + index,
                state=state,
                at=at,
            )
        for index, (message, milestone, at) in enumerate(one.receipts):
            self._run(
                "INSERT INTO receipt (app_id, day, message_id, device_id, milestone, person_id, at)"
                " VALUES (:app, :day, :message, :device, :milestone, :person, :at)",
                person=old_id if index else person_id,
                day=MESSAGES[message],
                message=self._messages[message],
                device=person_id * 10 + index,
                milestone=milestone,
                at=at,
            )

    def _device(self, person_id: int, name: str, device: dict[str, Any]) -> None:
        targets = device.pop("targets")
        columns = ", ".join(device)
        values = ", ".join(f":{column}" for column in device)
        device_id = self._one(
            f"INSERT INTO device (app_id, public_id, installation_id, person_id, {columns})"
            f" VALUES (:app, :name, :name, :person, {values}) RETURNING id",
            app=self.app_id,
            name=name,
            person=person_id,
            **device,
        )
        for provider, state in targets:
            self._run(
                "INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)"
                " VALUES (:app, :device, :provider, 'token', :token, :hash, :state)",
                device=device_id,
                provider=provider,
                token=name,
                hash=f"{provider}{device_id}".encode(),
                state=state,
            )

    def _one(self, sql: str, **values: Any) -> int:
        found = self._connection.scalar(sa.text(sql), {"app": getattr(self, "app_id", 0), **values})
        assert isinstance(found, int)
        return found

    def _run(self, sql: str, **values: Any) -> None:
        self._connection.execute(sa.text(sql), {"app": self.app_id, **values})


def to_facts(index: int, one: Somebody, clock: Clock) -> Facts:
    """Return the same person as facts, without rankings."""
    devices = [dict(device) for device in one.devices]
    seen = [device["last_seen_at"] for device in devices if device["last_seen_at"] is not None]
    return Facts(
        external_id=external_id(index, one),
        created_at=one.created_at,
        attributes=one.attributes,
        locale=one.locale,
        time_zone=one.time_zone,
        country=one.country,
        last_seen_at=max(seen, default=None),
        consents={**DEFAULTS, **one.consents},
        devices=[found for device in devices if (found := _device_facts(device))],
        events=[EventFacts(name, at, properties) for name, at, properties in one.events],
        messages=[MessageFacts(*told) for told in (*one.messages, *one.receipts)],
        lists=frozenset(one.lists),
    )


def _device_facts(device: dict[str, Any]) -> DeviceFacts | None:
    live = frozenset(provider for provider, state in device["targets"] if state != "retired")
    if not live:
        return None
    fields = {name: one for name, one in device.items() if name not in {"targets", "created_at"}}
    return DeviceFacts(providers=live, registered_at=device["created_at"], **fields)


def bounds(rule: Node, everybody: Sequence[Facts], clock: Clock) -> Mapping[str, Sequence[Measure]]:
    """Return the bounds of all rankings of a rule, counted one by one."""
    found: dict[str, Sequence[Measure]] = {}
    for ranking in find_mentions(rule).rankings:
        ranked = (rank_value(ranking, one, clock) for one in everybody)
        values: list[Any] = sorted(value for value in ranked if value is not None)
        parts = ranking.quantiles
        found[ranking_key(ranking)] = [
            values[-(-step * len(values) // parts) - 1] for step in range(1, parts) if values
        ]
    return found


def as_fractions(values: Sequence[Measure]) -> list[Any]:
    return [Fraction(one) if isinstance(one, int | Fraction) else one for one in values]
