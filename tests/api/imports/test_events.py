"""Events from files: as at ingest, and never twice."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from api.imports.errors import InvalidMappingError
from api.imports.job import ImportJob
from core.clock import utc_now
from tests.api.imports.files import Shop
from tests.api.imports.test_resume import command, ended, kill_half_way
from tests.repository_files import ROOT

_CDNOW = ROOT / "tests" / "data" / "cdnow_transactions.txt.gz"
_HEADER = "person,at,name,properties.n:int\n"


def run(
    shop: Shop, folder: Path, lines: str, name: str = "events.csv", **options: Any
) -> ImportJob:
    path = folder / name
    path.write_text(lines)
    return shop.run(path, "events", **options)


def events(shop: Shop) -> list[tuple[Any, ...]]:
    found = shop.rows(
        "SELECT p.external_id, e.name, e.at, e.properties, e.uuid::text FROM event e"
        " JOIN person p ON p.app_id = e.app_id AND p.id = e.person_id"
        " WHERE e.app_id = :app_id ORDER BY 1, 2, 3, 5"
    )
    return [tuple(row) for row in found]


def some_events(count: int, *, bad_every: int) -> str:
    """Return a CSV of events, some of them alike, every so many with no time to read."""
    return _HEADER + "".join(
        f"customer-{number % 97},"
        f"{'soon' if number % bad_every == 0 else f'2021-{number % 12 + 1:02}-03T10:00:00Z'},"
        f"seen,{number % 3}\n"
        for number in range(count)
    )


def test_lines_become_events_with_their_properties(shop: Shop, tmp_path: Path) -> None:
    uuid = "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10"
    lines = [
        "uuid,person,anonymous_id,at,name,properties.total:float,color",
        f"{uuid.upper()},ada,,2021-02-03T04:05:06+01:00,bought,9.5,red",
        ",,phone-1,19990204,seen,,",
    ]

    job = run(shop, tmp_path, "\n".join(lines))

    assert (job.state, job.records, job.created, job.failed) == ("finished", 2, 2, 0)
    first, second = events(shop)
    at = datetime(2021, 2, 3, 3, 5, 6, tzinfo=UTC)
    assert first == ("ada", "bought", at, {"total": 9.5, "color": "red"}, uuid)
    assert second[:4] == ("anonymous:phone-1", "seen", datetime(1999, 2, 4, tzinfo=UTC), {})


def test_objects_are_taken_as_the_api_takes_them(shop: Shop, tmp_path: Path) -> None:
    lines = [
        '{"person":"ada","at":"2021-02-03","name":"a","properties":{"x":[1]},"plan":"pro"}',
        '{"person":"ada","at":"2021-02-03T10:00:00Z","type":"b"}',
    ]

    job = run(shop, tmp_path, "\n".join(lines), "events.jsonl", maps=(("type", "name"),))

    assert job.created == 2
    assert [(row[1], row[3]) for row in events(shop)] == [
        ("a", {"x": [1], "plan": "pro"}),
        ("b", {}),
    ]


def test_a_bad_line_costs_itself_and_says_why(shop: Shop, tmp_path: Path) -> None:
    later = (utc_now() + timedelta(days=2)).isoformat()
    lines = {
        2: ("ada,2021-01-01,good,1", None),
        3: (",2021-01-01,seen,1", ("/person", "missing")),
        4: ("ada,yesterday,seen,1", ("/at", "invalid_value")),
        5: (f"ada,{later},seen,1", ("/at", "in_the_future")),
        6: ("ada,1969-01-01,seen,1", ("/at", "invalid_value")),
        7: ("ada,2021-01-01,,1", ("/name", "missing")),
        8: ("ada,2021-01-01,seen,many", ("/properties/n", "invalid_value")),
        9: ("ada,,seen,1", ("/at", "missing")),
        10: (f"ada,2021-01-01,{'n' * 101},1", ("/name", "too_long")),
        11: ("bob,2021-01-01,good,1", None),
    }

    job = run(shop, tmp_path, _HEADER + "\n".join(line for line, _ in lines.values()))

    bad = shop.bad_lines(job)
    found = {line: (fault["pointer"], fault["code"]) for line, fault in bad.items()}
    assert found == {line: fault for line, (_, fault) in lines.items() if fault}
    assert [row[0] for row in events(shop)] == ["ada", "bob"]


def test_who_refuses_analytics_has_no_events_and_names_have_a_limit(
    shop: Shop, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("external_id,consent_analytics\nada,no\nbob,yes\n")
    shop.run(people)
    limited = Shop(
        shop.database,
        shop.settings.model_copy(update={"event_names_limit": 2}),
        shop.app_id,
    )
    lines = "ada,2021-01-01,a,1\nbob,2021-01-01,b,1\nbob,2021-01-01,c,1\nbob,2021-01-02,b,1\n"

    job = run(limited, tmp_path, _HEADER + lines)

    bad = shop.bad_lines(job)
    assert {line: fault["code"] for line, fault in bad.items()} == {
        2: "no_consent",
        4: "too_many_names",
    }
    assert [row[:2] for row in events(shop)] == [("bob", "b"), ("bob", "b")]


def test_a_file_that_comes_again_doubles_nothing_even_when_its_keys_are_forgotten(
    shop: Shop, tmp_path: Path
) -> None:
    lines = some_events(300, bad_every=1_000)
    first = run(shop, tmp_path, lines)
    before = events(shop)
    with shop.database.begin() as connection:
        connection.execute(
            text("DELETE FROM event_key WHERE app_id = :app_id"), {"app_id": shop.app_id}
        )

    more = run(shop, tmp_path, lines + "customer-1,2021-05-05,seen,1\n")
    packed = tmp_path / "events.csv.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    again = shop.run(packed, "events")

    assert (first.created, first.failed) == (299, 1)
    assert (more.created, more.unchanged) == (1, 299)
    assert (again.created, again.unchanged) == (0, 299)
    after = events(shop)
    assert len(after) == 300
    assert [row for row in after if row in before] == before


def test_killed_half_way_and_repeated_it_ends_as_if_it_had_not_been(
    shop: Shop, twin: Shop, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(some_events(20_000, bad_every=100))
    shop, twin = shop.in_slices(500), twin.in_slices(700)
    twin.run(path, "events")

    kill_half_way(shop, path, tmp_path, kind="events")
    printed, peak = ended(command(shop, path, tmp_path, kind="events"))

    assert (printed["records"], printed["created"], printed["failed"]) == (20_000, 19_800, 200)
    assert events(shop) == events(twin)
    assert peak < 200_000_000


@pytest.mark.parametrize(
    ("header", "options", "words"),
    [
        ("person,name\n", {}, "No column gives at"),
        ("person,at,kind\n", {}, "No column gives name"),
        ("at,name\n", {}, "No column gives person or anonymous_id"),
        ("person,at,name\n", {"unmapped": "attributes"}, "Events have no attributes"),
        ("person,at,name,x\n", {"unmapped": "refuse"}, "fits no field"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    shop: Shop, tmp_path: Path, header: str, options: Any, words: str
) -> None:
    with pytest.raises(InvalidMappingError, match=words):
        run(shop, tmp_path, f"{header}ada,2021-01-01,x,1\n", **options)


def _purchases() -> pd.DataFrame:
    names = ["person", "day", "items", "dollars"]
    with gzip.open(_CDNOW, "rt") as file:
        return pd.read_csv(file, sep=r"\s+", names=names, dtype=str)


def test_real_purchases_come_in_to_the_cent_and_month_by_month(shop: Shop, tmp_path: Path) -> None:
    purchases = _purchases()
    path = tmp_path / "purchases.csv.gz"
    columns = {"day": "at", "items": "properties.items:int", "dollars": "properties.dollars:float"}
    purchases.rename(columns=columns).assign(name="purchase").to_csv(path, index=False)

    job = shop.in_slices(5_000).run(path, "events")

    assert (job.state, job.created, job.failed) == ("finished", 69_659, 0)
    months = shop.rows(
        "SELECT to_char(at, 'YYYYMM') AS month, count(*),"
        " sum((properties->>'dollars')::numeric) AS dollars,"
        " sum((properties->>'items')::int) AS items"
        " FROM event WHERE app_id = :app_id GROUP BY 1 ORDER BY 1"
    )
    # Whole cents, so that pandas adds them up exactly.
    cents = purchases["dollars"].str.replace(".", "").astype("int64")
    by_month = purchases.assign(cents=cents, items=purchases["items"].astype("int64")).groupby(
        purchases["day"].str[:6]
    )
    assert [
        (month, count, int(dollars * 100), items) for month, count, dollars, items in months
    ] == [
        (month, len(group), group["cents"].sum(), group["items"].sum()) for month, group in by_month
    ]
    assert sum(row.dollars for row in months) == Decimal("2500315.63")
    people = shop.rows("SELECT count(*) FROM person WHERE app_id = :app_id")
    assert people[0][0] == 23_544
