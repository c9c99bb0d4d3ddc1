"""A town to ask about: people, devices, events, consents and messages, made in sets by PostgreSQL.

Everything goes through the tables' own triggers, so that what follows from rows (names, counts of
attributes, the daily roll-up of events) is there as it would be.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, text

from core.database import create_month_partitions, driver_connection
from segments.events.partitions import ensure_partitions

DAYS: Final = 180
MESSAGES: Final = 50
# Name, and how many of a hundred events are of it.
EVENTS: Final[Mapping[str, int]] = {
    "app_open": 30,
    "view": 25,
    "search": 12,
    "cart_filled": 8,
    "purchase": 8,
    "share": 5,
    "review": 3,
    "sign_up": 3,
    "support": 3,
    "refund": 3,
}
LISTS: Final[Mapping[str, float]] = {"lst_many": 0.2, "lst_some": 0.02, "lst_few": 0.001}
PLANS: Final = ("free", "basic", "gold", "platinum", "trial")
CITIES: Final = (
    "Berlin",
    "Wien",
    "Paris",
    "Lyon",
    "Madrid",
    "Roma",
    "Oslo",
    "London",
    "Graz",
    "Bern",
)
TAGS: Final = ("news", "sale", "vip", "beta", "kids", "garden", "sport", "books")
CATEGORIES: Final = ("shoes", "books", "garden", "music", "toys", "tools", "food", "games")
MODELS: Final = ("Pixel 8", "Pixel 9", "SM-S921B", "iPhone15,2", "iPhone16,1", "iPad14,3")
COUNTRIES: Final = ("DE", "AT", "CH", "FR", "ES", "IT", "NO", "GB", "US", "SE")
LOCALES: Final = ("de", "de-AT", "en-GB", "en-US", "fr", "es", "it", "nb")
ZONES: Final = ("Europe/Berlin", "Europe/Vienna", "Europe/London", "America/New_York")
VERSIONS: Final = tuple(f"{major}.{minor}.{patch}" for major in (3, 4, 5) for minor in range(8)
                        for patch in range(3))  # fmt: skip
# How many rows are made by one statement.
_SLICE = 50_000


def _one_of(values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"(ARRAY[{listed}])[1 + floor(random() * {len(values)})::int]"


_APP = """
INSERT INTO app (public_id, name, identity_secret) VALUES ('app_town', 'town', '\\x00');
INSERT INTO credential (app_id, public_id, provider, kind, name, project_id, sealed)
SELECT id, 'cred_fcm', 'fcm', 'service_account', 'town', 'town', '\\x00' FROM app;
INSERT INTO credential (app_id, public_id, provider, kind, name, environment, topic, sealed)
SELECT id, 'cred_apns', 'apns', 'token', 'town', 'production', 'com.example', '\\x00' FROM app;
"""
_EVENT_NAMES = """
INSERT INTO event_name (app_id, name) SELECT a.id, n FROM app a, unnest(CAST(:names AS text[])) n
"""
_PEOPLE = f"""
INSERT INTO person (app_id, external_id, attributes, locale, time_zone, country, created_at)
SELECT a.id, 'customer-' || n, jsonb_build_object(
    'first_name', {_one_of(("Ada", "Björn", "Chidi", "Elif", "Fatima", "Hana", "Inés", "Zoë"))},
    'last_name', 'Name-' || floor(random() * 50000),
    'email', md5(n::text) || '@example.com',
    'plan', {_one_of(PLANS)},
    'points', floor(random() * 10000),
    'orders', floor(-ln(1 - random()) * 8),
    'spent', round((random() * 2000)::numeric, 2),
    'vip', random() < 0.05,
    'birthday', to_char(date '1950-01-01' + (random() * 20000)::int, 'YYYY-MM-DD'),
    'renews_at', to_char(now() + (random() * 400 - 200) * interval '1 day',
                         'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'lat', round((47 + random() * 8)::numeric, 5),
    'lon', round((5 + random() * 12)::numeric, 5),
    'tags', jsonb_build_array({_one_of(TAGS)}, {_one_of(TAGS)}),
    'address', jsonb_build_object('city', {_one_of(CITIES)}, 'zip', 10000 + floor(random() * 89999),
                                  'street', 'Street ' || floor(random() * 2000)),
    'company', 'Company ' || floor(random() * 3000),
    'referrer', {_one_of(("search", "friend", "advertisement", "newsletter"))},
    'score', round(random()::numeric, 6),
    'newsletter', random() < 0.4,
    'language_level', {_one_of(("a1", "a2", "b1", "b2", "c1", "c2"))},
    'last_category', {_one_of(CATEGORIES)},
    'household', 1 + floor(random() * 6),
    'note', repeat('Something that was said on the telephone. ', 1 + floor(random() * 4)::int))
    || CASE WHEN random() < 0.3 THEN jsonb_build_object('phone', '+49' || floor(random() * 1e10))
       ELSE '{{}}' END,
    {_one_of(LOCALES)}, {_one_of(ZONES)}, {_one_of(COUNTRIES)},
    now() - random() * interval '{DAYS} days'
FROM app a, generate_series(CAST(:first AS int), CAST(:last AS int)) n
"""  # noqa: S608  All parts are ours.
# Half of all people have one device, a quarter two, an eighth four, the others none.
_DEVICES = f"""
WITH made AS (
    INSERT INTO device (app_id, public_id, installation_id, person_id, platform, app_version,
        os_version, model, locale, permission, last_seen_at, created_at)
    SELECT p.app_id, 'dev_' || p.id || '_' || k, 'inst_' || p.id || '_' || k, p.id,
        CASE WHEN random() < 0.6 THEN 'android' ELSE 'ios' END, {_one_of(VERSIONS)},
        (10 + floor(random() * 8)) || '.' || floor(random() * 4), {_one_of(MODELS)},
        {_one_of(LOCALES)}, {_one_of(("granted", "granted", "granted", "denied", "unknown"))},
        now() - random() * random() * interval '{DAYS} days',
        now() - random() * interval '{DAYS} days'
    FROM person p, generate_series(1, CASE p.id % 8 WHEN 0 THEN 0 WHEN 1 THEN 4 WHEN 2 THEN 2
                                      WHEN 3 THEN 2 ELSE 1 END) k
    WHERE p.id BETWEEN :first AND :last
    RETURNING app_id, id, platform)
INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, environment, topic, state)
SELECT app_id, id, CASE platform WHEN 'android' THEN 'fcm' ELSE 'apns' END,
    CASE platform WHEN 'android' THEN 'token' ELSE 'alert' END, 'token-' || id, int8send(id),
    CASE platform WHEN 'ios' THEN 'production' END, CASE platform WHEN 'ios' THEN 'com.example' END,
    {_one_of(("active",) * 18 + ("suspect", "retired"))}
FROM made
"""  # noqa: S608  All parts are ours.
_CONSENTS = """
INSERT INTO consent (app_id, person_id, kind, granted, source)
SELECT app_id, id, 'push', random() < 0.8, 'bench' FROM person WHERE random() < 0.4;
INSERT INTO consent (app_id, person_id, kind, granted, source)
SELECT app_id, id, 'analytics', random() < 0.9, 'bench' FROM person WHERE random() < 0.2;
INSERT INTO suppression (app_id, external_id, source)
SELECT app_id, external_id, 'bench' FROM person WHERE random() < 0.005;
"""
_LIST = """
WITH made AS (
    INSERT INTO segment_list (app_id, public_id, name) SELECT id, :name, :name FROM app
    RETURNING app_id, id)
INSERT INTO list_member (app_id, list_id, person_id)
SELECT m.app_id, m.id, p.id FROM made m, person p WHERE random() < :share
"""
_NAMES = [name for name, share in EVENTS.items() for _ in range(share)]
# By the day, as they come in. Some people do much, and who is old does more.
_EVENTS = f"""
INSERT INTO event (app_id, person_id, uuid, name, properties, at, received_at)
SELECT app_id, person_id, gen_random_uuid(), name, jsonb_build_object(
    'amount', round((5 + 200 * random() * random())::numeric, 2),
    'currency', CASE WHEN random() < 0.8 THEN 'EUR' ELSE 'CHF' END,
    'category', {_one_of(CATEGORIES)}, 'quantity', 1 + floor(random() * 5),
    'source', {_one_of(("app", "web", "push"))}), at, at
FROM (
    SELECT a.id AS app_id,
        1 + (floor(:people * power(random(), 1.7))::bigint * 7919) % :people AS person_id,
        {_one_of(_NAMES)} AS name, CAST(:day AS timestamptz) + n * interval '1 day' / :count AS at
    FROM app a, generate_series(0, CAST(:count AS int) - 1) n) e
"""  # noqa: S608  All parts are ours.
# One message in every few days, each to one of many parts of all devices.
_MESSAGE = """
INSERT INTO message (app_id, public_id, day, lane, state, policy, content, audience, ttl_seconds,
                     send_at, started_at, finished_at)
SELECT id, :name, :day, 'campaign', 'finished', 'at_most_once', '{}', '{}', 3600, :day, :day, :day
FROM app RETURNING id
"""
_LEDGER = """
INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt, at)
SELECT d.app_id, :day, :message_id, d.id, d.person_id, s.state,
    CASE s.state WHEN 'suppressed' THEN 'no_permission' END, 1,
    CAST(:day AS timestamptz) + random() * interval '3 hours'
FROM device d, LATERAL (SELECT CASE WHEN r < 0.9 THEN 'accepted' WHEN r < 0.92 THEN 'gone'
    WHEN r < 0.93 THEN 'rejected' WHEN r < 0.94 THEN 'unknown' ELSE 'suppressed' END AS state
    FROM (SELECT random() + 0 * d.id AS r) q) s
WHERE abs(hashint8(d.id * 64 + :number)::bigint) % 1000000 < :share * 1000000
"""


@dataclass(frozen=True, slots=True)
class Town:
    """How large it is; the ledger has five rows for each of the people."""

    people: int
    events: int

    @property
    def ledger(self) -> int:
        """How many rows of the ledger are aimed at."""
        return self.people * 5


def fill(engine: Engine, town: Town) -> None:
    """Fill an empty, migrated database of one app; needs a pool of two connections."""
    now = datetime.now(UTC)
    days = [(now - timedelta(days=back)).date() for back in range(DAYS, 0, -1)]
    with driver_connection(engine) as driver:
        ensure_partitions(driver, days, now.date())
    with engine.begin() as connection:
        for day in days[::27]:
            create_month_partitions(connection, ("ledger",), day)
    _run(engine, _APP, {})
    _run(engine, _EVENT_NAMES, {"names": list(EVENTS)})
    slices = [
        {"first": first, "last": min(first + _SLICE - 1, town.people)}
        for first in range(1, town.people + 1, _SLICE)
    ]
    _together(engine, [(_PEOPLE, one) for one in slices])
    _together(engine, [(_DEVICES, one) for one in slices])
    _run(engine, _CONSENTS, {})
    for name, share in LISTS.items():
        _run(engine, _LIST, {"name": name, "share": share})
    _together(engine, _event_work(town, now))
    _fill_ledger(engine, town, now)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _event_work(town: Town, now: datetime) -> list[tuple[str, Mapping[str, Any]]]:
    bounds = [round(town.events * step / DAYS) for step in range(DAYS + 1)]
    return [
        (
            _EVENTS,
            {
                "people": town.people,
                "day": now - timedelta(days=DAYS - step),
                "count": bounds[step + 1] - bounds[step],
            },
        )
        for step in range(DAYS)
        if bounds[step + 1] > bounds[step]
    ]


def _fill_ledger(engine: Engine, town: Town, now: datetime) -> None:
    work: list[tuple[str, Mapping[str, Any]]] = []
    with engine.begin() as connection:
        devices: int = connection.execute(text("SELECT count(*) FROM device")).scalar_one()
        for number in range(MESSAGES):
            day = (now - timedelta(days=1 + number * (DAYS - 5) // MESSAGES)).date()
            values = {"name": f"msg_town_{number}", "day": day}
            found = connection.execute(text(_MESSAGE), values).scalar_one()
            share = town.ledger / MESSAGES / devices
            work.append(
                (_LEDGER, {"day": day, "message_id": found, "number": number, "share": share})
            )
    _together(engine, work)


def _together(engine: Engine, work: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Run statements of which none waits for another on both cores."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(_run, engine, *one) for one in work]:
            done.result()


def _run(engine: Engine, statement: str, values: Mapping[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit TO off"))
        connection.execute(text(statement), values)
