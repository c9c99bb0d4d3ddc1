"""Whom a newer message with the same collapse id reaches: the older one is not sent there.

Newer is what was stored later and started later. It supersedes where a gateway has taken it, or may
have: then a device that gets both would show the newer alone, or, were an old try repeated after
it, the older. Where the newer one is on its way, or, as long as it is small, only waits for its
turn, the older one waits for what becomes of it. It may yet be cancelled or refused, and a gateway
collapses nothing under a message that it never got: whoever ended the older one then would leave
the device with neither.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from delivery.chunks.arrays import numbers
from delivery.chunks.chunk import Lease

# Why a recipient waits for a newer message to end first, and for how long: at first, and then.
NEWER_FIRST = "newer_first"
FIRST_WAIT_SECONDS, LATER_WAIT_SECONDS = 2.0, 15.0
# Of a newer message of more recipients than fit into a chunk, or behind so many, only those are
# waited for that are on their way: to look through everybody who waits would cost each window of
# the older one too much. So it is with one that goes no further, as when it was cancelled.
_SMALL = 1_000
_MESSAGES = 50
# OFFSET 0 makes each look go by an index, whatever the planner believes of tables it does not know.
# Of as many newer messages as these the devices are looked up that each has left for. IS TRUE has
# those of chunks looked up by a hash: a list would be gone through for each.
_FEW = f"""
newer AS MATERIALIZED (
    SELECT n.id, n.finished_at IS NULL AS is_open,
           n.state = 'running' AND n.targeted <= {_SMALL}
               AND n.expires_at > clock_timestamp() AS may_wait
    FROM m CROSS JOIN LATERAL (
        SELECT * FROM message n
        WHERE n.app_id = m.app_id AND n.collapse_id = m.collapse_id AND n.id > m.id
        ORDER BY n.id DESC OFFSET 0) n
    WHERE n.started_at > m.started_at AND n.is_test = m.is_test
    LIMIT {_MESSAGES} + 1),
are_many AS MATERIALIZED (SELECT count(*) > {_MESSAGES} AS yes FROM newer),
reached AS MATERIALIZED (
    SELECT DISTINCT l.device_id FROM m CROSS JOIN newer n CROSS JOIN LATERAL (
        SELECT l.device_id FROM ledger l
        WHERE l.app_id = m.app_id AND l.message_id = n.id AND l.day >= m.day
          AND l.device_id = ANY(CAST(%(device_ids)s AS int8[]))
          AND l.state IN ('accepted', 'unknown') OFFSET 0) l
    WHERE NOT (SELECT yes FROM are_many)),
meant AS MATERIALIZED (SELECT unnest(CAST(%(device_ids)s AS int8[])) AS device_id),
waiting AS MATERIALIZED (
    SELECT DISTINCT u.device_id FROM m CROSS JOIN newer n CROSS JOIN LATERAL (
        SELECT * FROM chunk c WHERE c.app_id = m.app_id AND c.message_id = n.id
          AND (n.may_wait OR (c.open <> '{{}}' AND c.lease_until > clock_timestamp())) OFFSET 0) c
    CROSS JOIN LATERAL (
        SELECT * FROM unnest(c.device_ids) WITH ORDINALITY AS u(device_id, place)
        WHERE (u.device_id IN (SELECT device_id FROM meant)) IS TRUE OFFSET 0) u
    WHERE n.is_open AND ((n.may_wait AND u.place > c.intended) OR u.place - 1 = ANY(c.open)))
"""  # noqa: S608 - all texts are ours.
# Of more, as where each of many people gets a message of their own, the recipient's history tells.
# Since the older one was cut a device without an owner may have got one, and an owner may have
# been merged into another: the newer one then names whom it has now.
_SENT = """SELECT FROM (
        SELECT l.device_id, l.message_id FROM ledger l
        WHERE l.app_id = m.app_id AND l.day >= m.day AND l.message_id > m.id
          AND l.state IN ('accepted', 'unknown') AND {owner} OFFSET 0) l
    CROSS JOIN LATERAL (
        SELECT * FROM message n WHERE n.app_id = m.app_id AND n.id = l.message_id OFFSET 0) n
    WHERE l.device_id = w.device_id AND n.collapse_id = m.collapse_id AND n.is_test = m.is_test
      AND n.started_at > m.started_at"""
_SENT_TO_OWNER = _SENT.format(owner="l.person_id = w.person_id")
_SENT_TO_NOBODY = _SENT.format(owner="l.person_id IS NULL AND l.device_id = w.device_id")
_SENT_TO_PRESENT_OWNER = _SENT.format(
    owner="""l.person_id = (SELECT d.person_id FROM device d
              WHERE d.app_id = m.app_id AND d.id = w.device_id)"""
)
_SUPERSEDED = f"""
WITH m AS MATERIALIZED (
    SELECT app_id, id, day, collapse_id, is_test, started_at FROM message
    WHERE app_id = %(app_id)s AND id = %(message_id)s),
{_FEW}
SELECT w.position, s.has_left OR w.device_id IN (SELECT device_id FROM reached)
FROM unnest(CAST(%(positions)s AS int4[]), CAST(%(device_ids)s AS int8[]),
            CAST(%(person_ids)s AS int8[])) AS w(position, device_id, person_id)
CROSS JOIN m CROSS JOIN are_many
CROSS JOIN LATERAL (
    SELECT are_many.yes AND (EXISTS ({_SENT_TO_OWNER}) OR EXISTS ({_SENT_TO_NOBODY})
        OR EXISTS ({_SENT_TO_PRESENT_OWNER})) AS has_left OFFSET 0) s
WHERE EXISTS (SELECT FROM newer)
  AND (s.has_left OR w.device_id IN (SELECT device_id FROM reached)
       OR w.device_id IN (SELECT device_id FROM waiting))
"""  # noqa: S608 - all texts are ours.


def execute(
    connection: psycopg.Connection[Any], lease: Lease, positions: Sequence[int]
) -> psycopg.Cursor[Any]:
    """Ask which of `positions` a newer message reaches, and whether it has left for them.

    Their recipients are given as they were cut.
    """
    values = {
        "app_id": lease.message.app_id,
        "message_id": lease.message.id,
        "positions": numbers(positions),
        "device_ids": numbers([lease.device_ids[position] for position in positions]),
        "person_ids": numbers([lease.person_ids[position] for position in positions]),
    }
    return connection.execute(_SUPERSEDED, values)


def wait_seconds(lease: Lease) -> float:
    """Return how long to wait before the next look at what became of the newer one."""
    return LATER_WAIT_SECONDS if lease.wait_reason == NEWER_FIRST else FIRST_WAIT_SECONDS
