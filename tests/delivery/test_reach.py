"""The counts of devices that are kept for each person equal those that are counted anew."""

import secrets
import threading
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from core.database import open_engine
from delivery.fanout import PUSH_KINDS

_COUNTED = """
SELECT d.person_id, count(*) AS devices,
    count(*) FILTER (WHERE is_push AND permission <> 'denied') AS permitted,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'android') AS android,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'ios') AS ios,
    count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'web') AS web,
    count(*) FILTER (WHERE is_push AND permission = 'denied') AS silent
FROM device d JOIN (
    SELECT app_id, device_id, bool_or(kind = ANY(:kinds)) AS is_push FROM target
    WHERE state <> 'retired' GROUP BY 1, 2) t ON t.app_id = d.app_id AND t.device_id = d.id
WHERE d.app_id = :app_id AND d.person_id IS NOT NULL GROUP BY 1
"""
_KEPT = """
SELECT person_id, devices::bigint, permitted::bigint, android::bigint, ios::bigint, web::bigint,
       silent::bigint
FROM person_reach WHERE app_id = :app_id AND devices > 0
"""
_DEVICE = """
INSERT INTO device (app_id, public_id, installation_id, person_id, platform, permission)
VALUES (:app_id, :name, :name, :person, :platform, :permission)
"""
_TARGET = """
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)
SELECT app_id, id, 'fcm', :kind, public_id, convert_to(public_id || :kind, 'UTF8'), :state
FROM device WHERE app_id = :app_id AND id % 3 = :part ON CONFLICT DO NOTHING
"""
_PARTS = st.integers(0, 2)
_PEOPLE = st.sampled_from([None, 1, 2, 3])
_PLATFORMS = st.sampled_from(["android", "ios", "web", "macos"])
_PERMISSIONS = st.sampled_from(["granted", "denied", "unknown"])
_STATES = st.sampled_from(["active", "suspect", "retired"])
_KINDS = st.sampled_from([*PUSH_KINDS, "voip"])
_STEPS = st.one_of(
    st.tuples(
        st.just(_DEVICE),
        st.fixed_dictionaries(
            {"person": _PEOPLE, "platform": _PLATFORMS, "permission": _PERMISSIONS}
        ),
    ),
    st.tuples(
        st.just(_TARGET), st.fixed_dictionaries({"kind": _KINDS, "state": _STATES, "part": _PARTS})
    ),
    st.tuples(
        st.just("UPDATE target SET state = :state"
                " WHERE app_id = :app_id AND device_id % 3 = :part"),
        st.fixed_dictionaries({"state": _STATES, "part": _PARTS}),
    ),
    st.tuples(
        st.just("UPDATE target SET kind = :kind WHERE app_id = :app_id AND id IN"
                " (SELECT max(id) FROM target WHERE app_id = :app_id GROUP BY device_id)"
                " AND NOT EXISTS (SELECT FROM target o"
                " WHERE o.app_id = :app_id AND o.kind = :kind)"),
        st.fixed_dictionaries({"kind": _KINDS}),
    ),
    st.tuples(
        st.just("UPDATE device SET person_id = :person WHERE app_id = :app_id AND id % 3 = :part"),
        st.fixed_dictionaries({"person": _PEOPLE, "part": _PARTS}),
    ),
    st.tuples(
        st.just("UPDATE device SET permission = :permission, platform = :platform"
                " WHERE app_id = :app_id AND id % 3 = :part"),
        st.fixed_dictionaries(
            {"permission": _PERMISSIONS, "platform": _PLATFORMS, "part": _PARTS}
        ),
    ),
    st.tuples(
        st.sampled_from([f"DELETE FROM {table} WHERE app_id = :app_id AND {column} % 3 = :part"
                         for table, column in (("device", "id"), ("target", "device_id"))]),
        st.fixed_dictionaries({"part": _PARTS}),
    ),
)  # fmt: skip


def _app(connection: Connection) -> int:
    made = text(
        "INSERT INTO app (public_id, name, identity_secret) VALUES (:name, 'x', '') RETURNING id"
    )
    found: int = connection.execute(made, {"name": secrets.token_hex(8)}).scalar_one()
    return found


def _run(connection: Connection, app_id: int, statement: str, values: Any) -> None:
    name = secrets.token_hex(8)
    connection.execute(text(statement), {"app_id": app_id, "name": name, **values})


def _sorted(connection: Connection, statement: str, app_id: int) -> list[tuple[Any, ...]]:
    values = {"app_id": app_id, "kinds": list(PUSH_KINDS)}
    return sorted(tuple(row) for row in connection.execute(text(statement), values))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, min_size=3, max_size=14))
def test_it_is_equal_after_every_statement(connection: Connection, steps: Any) -> None:
    app_id = _app(connection)
    for person in (1, 2, 3):
        values = {"person": person, "platform": "ios", "permission": "granted"}
        _run(connection, app_id, _DEVICE, values)

    for statement, values in steps:
        _run(connection, app_id, statement, values)

        counted = _sorted(connection, _COUNTED, app_id)
        assert _sorted(connection, _KEPT, app_id) == counted


def test_two_who_change_the_same_person_at_once_are_both_counted(fresh_database: str) -> None:
    engine = open_engine(fresh_database, pool_size=2)
    with engine.begin() as connection:
        app_id = _app(connection)
        for _ in range(3):
            values = {"person": 1, "platform": "ios", "permission": "granted"}
            _run(connection, app_id, _DEVICE, values)

    with engine.begin() as first:
        _run(first, app_id, _TARGET, {"kind": "token", "state": "active", "part": 1})
        other = threading.Thread(target=_add, args=(engine, app_id))
        other.start()
        other.join(0.3)
        waited = other.is_alive()
    other.join(30)

    with engine.begin() as connection:
        assert waited
        kept = _sorted(connection, _KEPT, app_id)
        assert kept == _sorted(connection, _COUNTED, app_id)
        assert [row[1] for row in kept] == [2]
    engine.dispose()


def _add(engine: Engine, app_id: int) -> None:
    with engine.begin() as second:
        _run(second, app_id, _TARGET, {"kind": "token", "state": "active", "part": 2})
