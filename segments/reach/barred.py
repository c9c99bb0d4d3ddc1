"""Who of a window's people must not be sent to any more: what the cut has asked, asked again."""

from collections.abc import Sequence
from typing import Any, Final

import psycopg

from delivery.chunks.arrays import numbers
from delivery.states import SuppressedReason

# Where nobody of the app has ever said anything, and nobody is on its list, none of its people are
# looked at. ORDER BY and OFFSET 0 make each look-up go by a key, whatever the planner believes of
# a new table: a look for any row of one app may otherwise read those of all others.
_APP: Final = """
    SELECT push_by_default AS allows,
           EXISTS (SELECT FROM (SELECT app_id FROM consent WHERE app_id = %(app_id)s
                                ORDER BY app_id, person_id, kind LIMIT 1) c) AS has_said,
           EXISTS (SELECT FROM (SELECT app_id FROM suppression WHERE app_id = %(app_id)s
                                ORDER BY app_id, external_id LIMIT 1) s) AS has_list
    FROM app WHERE id = %(app_id)s OFFSET 0
"""
_REFUSING: Final = """
    SELECT w.id, 1 AS place
    FROM a, unnest(CAST(%(ids)s AS int8[])) AS w(id)
    LEFT JOIN LATERAL (
        SELECT granted FROM consent
        WHERE app_id = %(app_id)s AND person_id = w.id AND kind = 'push' OFFSET 0) AS c ON true
    WHERE (a.has_said OR NOT a.allows) AND NOT coalesce(c.granted, a.allows)
"""
_LISTED: Final = """
    SELECT n.id, 2
    FROM a, LATERAL (
        SELECT w.id, p.external_id
        FROM unnest(CAST(%(ids)s AS int8[])) AS w(id), LATERAL (
            SELECT external_id FROM person
            WHERE app_id = %(app_id)s AND id = w.id OFFSET 0) AS p
        WHERE a.has_list
        UNION ALL
        SELECT w.id, p.external_id
        FROM unnest(CAST(%(ids)s AS int8[])) AS w(id), LATERAL (
            SELECT external_id FROM person_name
            WHERE app_id = %(app_id)s AND person_id = w.id AND is_alias OFFSET 0) AS p
        WHERE a.has_list) AS n,
    LATERAL (SELECT FROM suppression
             WHERE app_id = %(app_id)s AND external_id = n.external_id OFFSET 0) AS s
"""
_BARRED: Final = f"""
WITH a AS MATERIALIZED ({_APP})
SELECT id, min(place) FROM ({_REFUSING} UNION ALL {_LISTED}) AS b GROUP BY id
"""  # noqa: S608  All parts are ours.
_REASONS: Final = {1: SuppressedReason.NO_CONSENT.value, 2: SuppressedReason.SUPPRESSION_LIST.value}


def find_barred(
    connection: psycopg.Connection[Any], app_id: int, ids: Sequence[int]
) -> dict[int | None, str]:
    """Return those of these people, by inner ids, who must get nothing, and the reason.

    The keys are typed as those of recipients are, some of whom have no person.
    """
    values = {"app_id": app_id, "ids": numbers(ids)}
    return {one: _REASONS[place] for one, place in connection.execute(_BARRED, values)}
