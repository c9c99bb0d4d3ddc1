"""Events from files under hard conditions: poisonous lines, merges, and several imports at once."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from segments.identity import merging
from tests.api.imports.files import Shop

_GOOD = {"name": "seen", "person": "ada", "at": "2021-02-03T10:00:00Z"}


def line(**values: Any) -> bytes:
    return json.dumps({**_GOOD, **values}).encode()


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


def count(shop: Shop) -> int:
    return int(shop.rows("SELECT count(*) FROM event WHERE app_id = :app_id")[0][0])


@pytest.mark.parametrize(
    ("poison", "pointer", "code"),
    [
        (line(uuid="x"), "/uuid", "invalid_value"),
        (line(uuid=None), "/uuid", "wrong_type"),
        (line(person=7), "/person", "wrong_type"),
        (line(anonymous_id="x"), "/anonymous_id", "invalid_value"),
        (line(properties={"big": "x" * 300_000}), "/properties", "too_long"),
        (line(properties={"n": 2**70}), "/properties/n", "number_out_of_range"),
        (line(properties={"a": nested(5)}), "/properties/a/a/a/a/a", "too_deep"),
        (line(properties={str(n): n for n in range(101)}), "/properties", "too_long"),
        (line(at="2099-01-01T00:00:00Z"), "/at", "in_the_future"),
        (b'{"name": "a\\u0000b", "person": "ada", "at": "2021-01-01"}', "/name", "nul_character"),
        (b'{"name": "\xff", "person": "ada", "at": "2021-01-01"}', "", "not_utf8"),
        (b'{"name": "seen", "person": "ada", "at": "2021-01-01"', "", "malformed_json"),
        (b"[" * 100_000, "", "too_deep"),
    ],
)
def test_a_poisonous_line_costs_only_itself(
    shop: Shop, tmp_path: Path, poison: bytes, pointer: str, code: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*[line()] * 50, poison, *[line()] * 50]))

    job = shop.run(path, "events")

    found = {number: (one["pointer"], one["code"]) for number, one in shop.bad_lines(job).items()}
    assert found == {51: (pointer, code)}
    assert (job.created, job.failed, count(shop)) == (100, 1, 100)


def test_a_file_doubles_nothing_when_its_people_have_become_one(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(line(person=("ada", "lovelace")[n % 2]) for n in range(150)))
    shop.run(path, "events")
    with shop.database.begin() as connection:
        merging.merge(connection, shop.app_id, "ada", "lovelace")
        forget = text("DELETE FROM event_key WHERE app_id = :app_id")
        assert connection.execute(forget, {"app_id": shop.app_id}).rowcount == 150

    job = shop.run(path, "events")

    assert (job.created, job.unchanged, count(shop)) == (0, 150, 150)
    people = shop.rows("SELECT count(DISTINCT person_id) FROM event WHERE app_id = :app_id")
    assert people[0][0] == 1


def test_the_same_events_imported_four_times_at_once_are_stored_once(
    shop: Shop, tmp_path: Path
) -> None:
    # Packed in four ways they are four files: none of them takes another's job over.
    lines = b"person,at,name\n" + b"".join(
        f"u{number % 50},{1990 + number % 30}-05-05,seen\n".encode() for number in range(2_000)
    )
    paths = []
    for level in (1, 6, 9):
        paths.append(tmp_path / f"events-{level}.csv.gz")
        paths[-1].write_bytes(gzip.compress(lines, level, mtime=level))
    paths.append(tmp_path / "events.csv")
    paths[-1].write_bytes(lines)

    with ThreadPoolExecutor(len(paths)) as pool:
        jobs = list(pool.map(lambda path: shop.run(path, "events"), paths))

    assert sum(job.created for job in jobs) == count(shop) == 2_000
    assert sum(job.unchanged for job in jobs) == 6_000
    assert [job.failed for job in jobs] == [0] * 4
