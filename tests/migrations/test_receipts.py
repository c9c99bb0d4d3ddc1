"""Version 0020: each month that has a ledger gets its receipts."""

from sqlalchemy import text

from api.services.pair import Urls
from tests.migrations.stepping import database_at, engine_of, migrate_to

_OLD = """
CREATE TABLE ledger_2021_02 PARTITION OF ledger FOR VALUES FROM ('2021-02-01') TO ('2021-03-01')
"""
_PUT = """
INSERT INTO receipt (app_id, day, message_id, device_id, milestone, at)
VALUES (1, CAST(:day AS date), 1, 1, 'opened', now())
"""


def test_months_of_the_past_and_to_come_take_receipts(urls: Urls) -> None:
    with database_at(urls.database_url, "0019") as url:
        with engine_of(url).begin() as connection:
            connection.execute(text(_OLD))
        migrate_to(url, "0020")

        with engine_of(url).begin() as connection:
            for day in ("2021-02-28", "now", "tomorrow"):
                connection.execute(text(_PUT), {"day": day})
            months = connection.execute(
                text(
                    "SELECT tableoid::regclass::text FROM receipt"
                    " WHERE day < '2022-01-01' UNION ALL"
                    " SELECT replace(relname, 'ledger', 'receipt') FROM pg_class"
                    " WHERE relname ~ '^ledger_[0-9_]+$'"
                    " EXCEPT SELECT relname::text FROM pg_class"
                )
            ).all()
    assert months == []
