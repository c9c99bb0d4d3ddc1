"""What may happen to devices, targets and consents, and what is to be kept of it for each."""

import secrets
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, text

from delivery.fanout import PUSH_KINDS

PEOPLE = (1, 2, 3)
_COUNTED = """
SELECT person_id, coalesce(devices, 0), coalesce(permitted, 0), coalesce(android, 0),
       coalesce(ios, 0), coalesce(web, 0), coalesce(silent, 0), granted
FROM (
    SELECT d.person_id, count(*) AS devices,
        count(*) FILTER (WHERE is_push AND permission <> 'denied') AS permitted,
        count(*) FILTER (
            WHERE is_push AND permission <> 'denied' AND platform = 'android') AS android,
        count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'ios') AS ios,
        count(*) FILTER (WHERE is_push AND permission <> 'denied' AND platform = 'web') AS web,
        count(*) FILTER (WHERE is_push AND permission = 'denied') AS silent
    FROM device d JOIN (
        SELECT app_id, device_id, bool_or(kind = ANY(:kinds)) AS is_push FROM target
        WHERE state <> 'retired' GROUP BY 1, 2) t ON t.app_id = d.app_id AND t.device_id = d.id
    WHERE d.app_id = :app_id AND d.person_id IS NOT NULL GROUP BY 1) AS d
FULL JOIN (
    SELECT person_id, granted FROM consent WHERE app_id = :app_id AND kind = 'push') AS c
USING (person_id)
"""
_KEPT = """
SELECT person_id, devices::bigint, permitted::bigint, android::bigint, ios::bigint, web::bigint,
       silent::bigint, push
FROM person_reach WHERE app_id = :app_id AND (devices > 0 OR push IS NOT NULL)
"""
DEVICE = """
INSERT INTO device (app_id, public_id, installation_id, person_id, platform, permission)
VALUES (:app_id, :name, :name, :person, :platform, :permission)
"""
TARGET = """
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)
SELECT app_id, id, 'fcm', :kind, public_id, convert_to(public_id || :kind, 'UTF8'), :state
FROM device WHERE app_id = :app_id AND id % 3 = :part ON CONFLICT DO NOTHING
"""
SAY = """
INSERT INTO consent (app_id, person_id, kind, granted, source)
SELECT :app_id, id, :kind, :granted, 'test' FROM unnest(CAST(:people AS int8[])) AS p(id)
ON CONFLICT (app_id, person_id, kind) DO UPDATE SET granted = excluded.granted
"""
_GIVE_AWAY = """
WITH theirs AS (
    DELETE FROM consent WHERE app_id = :app_id AND person_id = :person RETURNING kind, granted)
INSERT INTO consent (app_id, person_id, kind, granted, source)
SELECT :app_id, :other, kind, granted, 'test' FROM theirs WHERE :person <> :other
ON CONFLICT (app_id, person_id, kind) DO UPDATE SET granted = excluded.granted
"""
_RENAME = """
UPDATE consent c SET person_id = :person WHERE app_id = :app_id AND person_id = :other
  AND NOT EXISTS (SELECT FROM consent o WHERE o.app_id = :app_id AND o.person_id = :person)
"""
_TURN = """
UPDATE consent c SET kind = CASE kind WHEN 'push' THEN 'analytics' ELSE 'push' END
WHERE app_id = :app_id AND NOT EXISTS (
    SELECT FROM consent o
    WHERE o.app_id = :app_id AND o.person_id = c.person_id AND o.kind <> c.kind)
"""
_PARTS = st.integers(0, 2)
_ANYBODY = st.sampled_from(PEOPLE)
_OWNERS = st.sampled_from([None, *PEOPLE])
_PLATFORMS = st.sampled_from(["android", "ios", "web", "macos"])
_PERMISSIONS = st.sampled_from(["granted", "denied", "unknown"])
_STATES = st.sampled_from(["active", "suspect", "retired"])
_KINDS = st.sampled_from([*PUSH_KINDS, "voip"])
_CONSENT_KINDS = st.sampled_from(["push", "push", "analytics"])


def _step(statement: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(statement), st.fixed_dictionaries(values))


DEVICE_STEPS = st.one_of(
    _step(DEVICE, person=_OWNERS, platform=_PLATFORMS, permission=_PERMISSIONS),
    _step(TARGET, kind=_KINDS, state=_STATES, part=_PARTS),
    _step("UPDATE target SET state = :state WHERE app_id = :app_id AND device_id % 3 = :part",
          state=_STATES, part=_PARTS),
    _step("UPDATE target SET kind = :kind WHERE app_id = :app_id AND id IN"
          " (SELECT max(id) FROM target WHERE app_id = :app_id GROUP BY device_id)"
          " AND NOT EXISTS (SELECT FROM target o WHERE o.app_id = :app_id AND o.kind = :kind)",
          kind=_KINDS),
    _step("UPDATE device SET person_id = :person WHERE app_id = :app_id AND id % 3 = :part",
          person=_OWNERS, part=_PARTS),
    _step("UPDATE device SET permission = :permission, platform = :platform"
          " WHERE app_id = :app_id AND id % 3 = :part",
          permission=_PERMISSIONS, platform=_PLATFORMS, part=_PARTS),
    _step("DELETE FROM device WHERE app_id = :app_id AND id % 3 = :part", part=_PARTS),
    _step("DELETE FROM target WHERE app_id = :app_id AND device_id % 3 = :part", part=_PARTS),
)  # fmt: skip
CONSENT_STEPS = st.one_of(
    _step(SAY, people=st.sets(_ANYBODY, min_size=1), kind=_CONSENT_KINDS, granted=st.booleans()),
    _step("UPDATE consent SET granted = NOT granted"
          " WHERE app_id = :app_id AND person_id % 3 = :part", part=_PARTS),
    _step("DELETE FROM consent WHERE app_id = :app_id AND person_id % 3 = :part", part=_PARTS),
    _step(_GIVE_AWAY, person=_ANYBODY, other=_ANYBODY),
    _step(_RENAME, person=_ANYBODY, other=_ANYBODY),
    _step(_TURN),
)  # fmt: skip


def run(connection: Connection, app_id: int, statement: str, values: Any) -> None:
    """Take a step in an app."""
    given = {key: list(one) if isinstance(one, set) else one for key, one in values.items()}
    connection.execute(text(statement), {"app_id": app_id, "name": secrets.token_hex(8), **given})


def kept(connection: Connection, app_id: int) -> list[tuple[Any, ...]]:
    """Return what is kept of those who have a device or said something, by the ids of people."""
    return _sorted(connection, _KEPT, app_id)


def counted(connection: Connection, app_id: int) -> list[tuple[Any, ...]]:
    """Return what is to be kept, found from the tables themselves."""
    return _sorted(connection, _COUNTED, app_id)


def _sorted(connection: Connection, statement: str, app_id: int) -> list[tuple[Any, ...]]:
    values = {"app_id": app_id, "kinds": list(PUSH_KINDS)}
    return sorted(tuple(row) for row in connection.execute(text(statement), values))
