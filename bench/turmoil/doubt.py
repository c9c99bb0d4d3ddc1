"""Which workers have pushes in doubt at this moment, as the database knows it."""

from collections.abc import Mapping

import psycopg

from bench.turmoil.verdict import AT_MOST_ONCE

# A recipient in `open` has an intent and no end. With at least once no intent is recorded before
# a push leaves, so whoever holds a chunk may have some on their way.
_HOLDERS = """
SELECT lease_owner, sum(cardinality(open))::int FROM chunk
WHERE lease_until IS NOT NULL GROUP BY lease_owner
"""


def doubtful(database_url: str, policy: str) -> Mapping[str, int]:
    """Return the owners of leases with pushes in doubt, and how many recorded intents each has.

    Raises psycopg's OperationalError while the database is away.
    """
    with psycopg.connect(database_url.replace("+psycopg", "", 1), connect_timeout=5) as connection:
        found: list[tuple[str, int]] = connection.execute(_HOLDERS).fetchall()
    return {owner: count for owner, count in found if count or policy != AT_MOST_ONCE}
