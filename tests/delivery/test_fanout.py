"""Who is reached, and by which credential, in made-up apps; against the rule in plain Python."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from core.database import rows
from delivery import fanout
from delivery.fanout import PUSH_KINDS, Source
from delivery.messages import repository as messages
from delivery.messages.message import NewMessage
from delivery.tables import credential, device, target

_NOW = datetime.now(UTC)
_PEOPLE, _DEVICES = 12, 25
_EVERYBODY = "SELECT id FROM generate_series(1, 12) AS p(id)"
_ANONYMOUS = "SELECT id FROM device WHERE app_id = :app_id AND person_id IS NULL"
_APP = "INSERT INTO app (public_id, name, identity_secret) VALUES (:p, 'app', '\\x00') RETURNING id"

_MESSAGE = NewMessage(
    lane="campaign",
    type="push",
    policy="at_most_once",
    content={"title": "Hello"},
    audience={"all": True},
    ttl_seconds=3_600,
    collapse_id=None,
    priority="high",
    rate_per_second=None,
    send_at=None,
)
_PLANNED = """
SELECT c.credential_id, c.lane, u.device_id, u.person_id
FROM chunk c, unnest(c.device_ids, c.person_ids) AS u(device_id, person_id)
WHERE c.app_id = :app_id AND c.message_id = :id ORDER BY 1, 3
"""
_PARTS = """
SELECT credential_id, remaining AS size FROM chunk WHERE app_id = :app_id ORDER BY 1, 2
"""
_ENDED = """
SELECT day, device_id, person_id, state, reason, gateway, attempt FROM ledger
WHERE app_id = :app_id AND message_id = :id ORDER BY device_id, person_id
"""
_COUNTED = """
SELECT state, reason, recipients FROM message_delta
WHERE app_id = :app_id AND message_id = :id ORDER BY 1, 2
"""

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _World:
    app_id: int
    credentials: list[_Row]
    devices: list[_Row]
    targets: list[_Row]

    def expected(self) -> Counter[tuple[str | None, int | None]]:
        """Count recipients by reason and credential."""
        found = Counter[tuple[str | None, int | None]]()
        reached = set[int]()
        for one in self.devices:
            best = self._best(one["id"])
            is_dead = best is None or best["state"] == "retired"
            if is_dead and one["person_id"] is not None:
                continue
            reached.add(one["person_id"])
            key = None if best is None else self._key(best)
            if is_dead:
                reason: str | None = "retired_before_send"
            elif best["state"] == "suspect":
                reason = "suspect"
            elif one["permission"] == "denied":
                reason = "no_permission"
            else:
                reason = "no_credential" if key is None else None
            found[reason, key] += 1
        if left := _PEOPLE - len(reached - {None}):
            found["no_device", None] += left
        return found

    def _best(self, device_id: int) -> Any:
        able = [
            row for row in self.targets
            if row["device_id"] == device_id and row["kind"] in PUSH_KINDS
        ]  # fmt: skip
        return max(
            able, key=lambda row: (row["state"] == "active", row["registered_at"]), default=None
        )

    def _key(self, row: _Row) -> int | None:
        fitting = [
            one["id"] for one in self.credentials
            if one["state"] != "retired" and one["provider"] == row["provider"]
            and one["environment"] == row["environment"]
            and row["topic"] in {None, one["topic"]}
        ]  # fmt: skip
        return max(fitting, default=None)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_target_and_the_newest_fitting_credential(
    connection: Connection, seed: int
) -> None:
    world = _make(connection, random.Random(seed))
    another = _make(connection, random.Random(seed + 1000))
    for one in (world, another):
        for is_wide in (False, True):
            source = Source(_EVERYBODY, _ANONYMOUS, {}, is_wide=is_wide)
            found = fanout.reach(connection, one.app_id, source)
            counted = {(row.reason, row.credential_id): row.recipients for row in found}
            assert counted == one.expected()


def test_a_wide_source_leaves_the_planner_as_it_was(connection: Connection) -> None:
    before = [connection.scalar(text(f"SHOW {name}")) for name in ("enable_nestloop", "work_mem")]
    world = _make(connection, random.Random(1))
    fanout.reach(connection, world.app_id, Source(_EVERYBODY, _ANONYMOUS, {}, is_wide=True))
    after = [connection.scalar(text(f"SHOW {name}")) for name in ("enable_nestloop", "work_mem")]
    assert after == before


@pytest.mark.parametrize("seed", range(8))
def test_a_wide_cut_writes_what_a_small_one_does(connection: Connection, seed: int) -> None:
    world = _make(connection, random.Random(seed))
    written = []
    for is_wide in (False, True):
        due = messages.create(connection, world.app_id, _MESSAGE)
        source = Source(_EVERYBODY, _ANONYMOUS, {}, is_wide=is_wide)
        message = fanout.cut(connection, due, source, 3)
        planned = rows(connection, _PLANNED, app_id=world.app_id, id=message.id)
        ended = rows(connection, _ENDED, app_id=world.app_id, id=message.id)
        counted = rows(connection, _COUNTED, app_id=world.app_id, id=message.id)
        written.append((planned, ended, counted, message.targeted))

    assert written[0] == written[1]
    assert sum(world.expected().values()) == written[1][-1]
    parts = rows(connection, _PARTS, app_id=world.app_id)
    scarce = Counter(row.credential_id for row in parts if row.size < 3)
    assert all(row.size <= 3 for row in parts)
    assert all(count <= 2 for count in scarce.values())


def test_two_wide_messages_are_cut_in_one_transaction_and_no_table_is_left(
    connection: Connection,
) -> None:
    world = _make(connection, random.Random(2))
    source = Source(_EVERYBODY, _ANONYMOUS, {}, is_wide=True)
    for _ in range(2):
        fanout.cut(connection, messages.create(connection, world.app_id, _MESSAGE), source, 1_000)

    assert connection.scalar(text("SELECT to_regclass('pg_temp.cut_row')")) is None


def _make(connection: Connection, rng: random.Random) -> _World:
    app_id = connection.scalar(text(_APP), {"p": f"app_{rng.random()}"})
    credentials = [_credential(rng, number) for number in range(rng.randint(0, 6))]
    devices = [_device(rng, number) for number in range(_DEVICES)]
    _add(connection, credential, app_id, credentials)
    _add(connection, device, app_id, devices)
    targets = [
        _target(rng, one["id"], number, kind)
        for number, one in enumerate(devices)
        for kind in rng.sample(("fid", "token", "alert", "voip"), rng.randint(0, 3))
    ]
    _add(connection, target, app_id, targets)
    return _World(app_id, credentials, devices, targets)


def _add(connection: Connection, table: Any, app_id: Any, made: list[_Row]) -> None:
    for row in made:
        statement = insert(table).values(app_id=app_id, **row).returning(table.c.id)
        row["id"] = connection.scalar(statement)


def _credential(rng: random.Random, number: int) -> _Row:
    is_apns = rng.random() < 0.6
    return {
        "public_id": f"cred_{number}_{rng.random()}",
        "provider": "apns" if is_apns else "fcm",
        "kind": "token" if is_apns else "service_account",
        "name": "name",
        "sealed": b"\0",
        "environment": rng.choice(("production", "development")) if is_apns else None,
        "topic": rng.choice(("com.a", "com.b")) if is_apns else None,
        "state": rng.choice(("active", "active", "paused", "retired")),
    }


def _device(rng: random.Random, number: int) -> _Row:
    return {
        "public_id": f"dev_{number}_{rng.random()}",
        "installation_id": f"inst_{number}",
        "person_id": rng.choice((None, *range(1, _PEOPLE + 1), *range(1, _PEOPLE + 1))),
        "platform": "ios",
        "permission": rng.choice(("granted", "unknown", "denied")),
    }


def _target(rng: random.Random, device_id: int, number: int, kind: str) -> _Row:
    is_apns = kind in {"alert", "voip"}
    return {
        "device_id": device_id,
        "provider": "apns" if is_apns else "fcm",
        "kind": kind,
        "token": f"t{number}{kind}",
        "token_hash": f"{number}{kind}".encode(),
        "environment": rng.choice(("production", "development")) if is_apns else None,
        "topic": rng.choice((None, "com.a", "com.b")) if is_apns else None,
        "state": rng.choice(("active", "active", "suspect", "retired")),
        "registered_at": _NOW - timedelta(seconds=rng.randint(0, 10**6)),
    }
