"""Versions 0017 and 0021: who is there is counted, and who comes is added."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.services.pair import Urls
from tests.migrations.stepping import database_at, engine_of, migrate_to, version_of

_FILLED = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_1', 'app', '\\x00');
INSERT INTO device (app_id, public_id, installation_id, person_id, platform, permission)
SELECT id, 'dev_' || n, 'inst_' || n, nullif(n % 4, 0),
       (ARRAY['android', 'ios', 'web', 'macos'])[1 + n % 4],
       (ARRAY['granted', 'denied', 'unknown'])[1 + n % 3] FROM app, generate_series(1, 60) AS n;
"""
_TARGETS = """
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)
SELECT app_id, id, 'fcm', (ARRAY['token', 'voip'])[1 + (id % 2)::int], public_id,
       convert_to(public_id, 'UTF8'), (ARRAY['active', 'suspect', 'retired'])[1 + (id % 3)::int]
FROM device WHERE id % 5 = :part
"""
_KEPT = """
SELECT devices::bigint, (permitted + silent)::bigint, silent::bigint
FROM person_reach ORDER BY person_id
"""
_COUNTED = """
SELECT count(*), count(*) FILTER (WHERE t.kind = 'token'),
       count(*) FILTER (WHERE t.kind = 'token' AND d.permission = 'denied')
FROM device d JOIN target t ON t.app_id = d.app_id AND t.device_id = d.id
WHERE t.state <> 'retired' AND d.person_id IS NOT NULL GROUP BY d.person_id ORDER BY d.person_id
"""
# Everybody with an even number said something about push; nobody above 3 has a device.
_CONSENTS = """
INSERT INTO consent (app_id, person_id, kind, granted, source)
SELECT a.id, n, kind, n % 3 = 0, 'test' FROM app a, generate_series(2, 40, 2) AS n,
       unnest(ARRAY['push', 'analytics']) AS kind
"""
_BEFORE = "0020"
_PUSH_KEPT = "SELECT person_id, push FROM person_reach WHERE push IS NOT NULL ORDER BY 1"
_PUSH_SAID = "SELECT person_id, granted FROM consent WHERE kind = 'push' ORDER BY 1"


@pytest.fixture
def at_0015(urls: Urls) -> Iterator[str]:
    """A filled database of the version before."""
    with database_at(urls.database_url, "0015") as url:
        with engine_of(url).begin() as filled:
            filled.execute(text(_FILLED))
            filled.execute(text(_TARGETS), {"part": 1})
        yield url


def test_devices_are_counted_before_and_after(at_0015: str) -> None:
    migrate_to(at_0015, "0017")

    with engine_of(at_0015).begin() as connection:
        before = connection.execute(text(_KEPT)).all()
        assert before == connection.execute(text(_COUNTED)).all()
        assert len(before) > 1
        connection.execute(text(_TARGETS), {"part": 2})
        after = connection.execute(text(_KEPT)).all()
        assert after == connection.execute(text(_COUNTED)).all() != before


def test_what_was_said_is_kept_and_what_is_said_is_added(at_0015: str) -> None:
    migrate_to(at_0015, _BEFORE)
    with engine_of(at_0015).begin() as connection:
        connection.execute(text(_CONSENTS))
        devices = connection.execute(text(_KEPT)).all()
    migrate_to(at_0015, "0021")

    with engine_of(at_0015).begin() as connection:
        before = connection.execute(text(_PUSH_KEPT)).all()
        assert before == connection.execute(text(_PUSH_SAID)).all()
        assert len(before) == 20
        assert connection.execute(text(_KEPT + " LIMIT 3")).all() == devices
        connection.execute(text("UPDATE consent SET granted = NOT granted WHERE person_id % 4 = 0"))
        connection.execute(text("DELETE FROM consent WHERE person_id % 5 = 0"))
        after = connection.execute(text(_PUSH_KEPT)).all()
        assert after == connection.execute(text(_PUSH_SAID)).all() != before


def test_it_waits_for_who_says_something_no_longer_than_the_lock_timeout(at_0015: str) -> None:
    migrate_to(at_0015, _BEFORE)
    engine = engine_of(at_0015)
    with engine.begin() as busy:
        busy.execute(text(_CONSENTS))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate_to(at_0015, "0021")

    assert version_of(engine) == _BEFORE
    migrate_to(at_0015, "0021")
    with engine.begin() as connection:
        kept = connection.execute(text(_PUSH_KEPT)).all()
        assert kept == connection.execute(text(_PUSH_SAID)).all() != []
