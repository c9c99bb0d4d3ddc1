"""FCM's budget of collapsible messages: 20 at once for an app on a device, then one in 3 minutes.

FCM delays what is beyond it and tells nobody. Here it waits where it can be seen.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from core.database import rows

BURST = 20
REFILL_SECONDS = 180

_TAKE = f"""
WITH wanted AS (
    SELECT DISTINCT id FROM unnest(CAST(:ids AS int8[])) AS w(id)),
taken AS (
    INSERT INTO collapse_budget AS b (app_id, target_id, arrival_at)
    SELECT :app_id, id, clock_timestamp() + interval '{REFILL_SECONDS} seconds'
    FROM wanted ORDER BY id
    ON CONFLICT (app_id, target_id) DO UPDATE SET arrival_at =
        greatest(b.arrival_at, clock_timestamp()) + interval '{REFILL_SECONDS} seconds'
    WHERE b.arrival_at <= clock_timestamp() + interval '{REFILL_SECONDS * (BURST - 1)} seconds'
    RETURNING target_id)
SELECT b.target_id, extract(epoch FROM b.arrival_at - clock_timestamp())::float8
       - {REFILL_SECONDS * (BURST - 1)} AS wait
FROM wanted w JOIN collapse_budget b ON b.app_id = :app_id AND b.target_id = w.id
WHERE NOT EXISTS (SELECT FROM taken t WHERE t.target_id = w.id)
"""  # noqa: S608  Numbers of ours.


def take(connection: Connection, app_id: int, target_ids: Sequence[int]) -> Mapping[int, float]:
    """Spend one of each registration's budget; return the seconds that the spent ones must wait."""
    found = rows(connection, _TAKE, app_id=app_id, ids=list(target_ids))
    return {row.target_id: max(0.0, row.wait) for row in found}
