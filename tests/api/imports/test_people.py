"""Importing people: kept, merged, repeated, and what becomes of bad lines."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from api.imports.errors import UnreadableFileError
from segments.attributes.repository import declare
from segments.identity.naming import alias
from segments.people.person import ATTRIBUTES_LIMIT_BYTES
from tests.api.imports.files import Shop, people_lines
from tests.repository_files import ROOT

_DATA = ROOT / "tests" / "data"


def write(folder: Path, text: str, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_every_count_of_the_real_file_is_the_one_of_pandas(shop: Shop) -> None:
    log = pd.read_csv(
        _DATA / "cdnow_transactions.txt.gz",
        sep=r"\s+",
        names=["id", "date", "items", "dollars"],
        dtype={"id": str, "date": str},
    )
    by_person = log.groupby("id")
    expected = pd.DataFrame(
        {
            "purchases": by_person.size(),
            "items": by_person["items"].sum(),
            "dollars": by_person["dollars"].sum().round(2),
            "first": pd.to_datetime(by_person["date"].min()).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "last": pd.to_datetime(by_person["date"].max()).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )

    job = shop.in_slices(2_000).run(_DATA / "cdnow_people.csv.gz")

    found = pd.DataFrame.from_dict(
        {name: values[0] for name, values in shop.people().items()}, orient="index"
    )
    found = found.sort_index()[list(expected.columns)]
    assert (job.records, job.created, job.failed) == (23_544, 23_544, 0)
    pd.testing.assert_frame_equal(found, expected, check_names=False, check_dtype=False)
    assert (found["purchases"].sum(), round(found["dollars"].sum(), 2)) == (69_659, 2_500_315.63)


def test_the_documented_conversion_makes_the_file_that_is_kept(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "import.md").read_text()
    block = page.partition("## A real file")[2].partition("```sh\n")[2].partition("```")[0]
    commands = block.replace("tests/data", str(_DATA))

    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True)

    made = pd.read_csv(tmp_path / "people.csv", dtype=str)
    kept = pd.read_csv(_DATA / "cdnow_people.csv.gz", dtype=str)
    pd.testing.assert_frame_equal(made, kept)


def test_exactly_the_bad_lines_are_reported_and_all_others_kept(shop: Shop, tmp_path: Path) -> None:
    text, bad = people_lines(20_000, bad_every=100)

    job = shop.in_slices(1_000).run(write(tmp_path, text))

    assert (job.state, job.records, job.failed) == ("finished", 20_000, 200)
    assert shop.bad_lines(job).keys() == bad
    assert len(shop.people()) == 20_000 - 200


def test_an_import_repeated_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    path = write(tmp_path, people_lines(500, bad_every=50)[0])
    shop.run(path)
    before = shop.rows("SELECT * FROM person WHERE app_id = :app_id ORDER BY id")

    job = shop.run(path)

    assert (job.created, job.updated, job.unchanged, job.failed) == (0, 0, 490, 10)
    assert shop.rows("SELECT * FROM person WHERE app_id = :app_id ORDER BY id") == before


def test_the_last_line_about_a_person_wins_in_one_slice_and_over_slices(
    shop: Shop, tmp_path: Path
) -> None:
    lines = [f"u{number % 30},{number},{'x' if number < 30 else ''}\n" for number in range(250)]
    path = write(tmp_path, "external_id,attributes.n:int,once\n" + "".join(lines))

    job = shop.run(path)

    last = {f"u{number % 30}": number for number in range(250)}
    assert {name: values[0] for name, values in shop.people().items()} == {
        name: {"n": number, "once": "x"} for name, number in last.items()
    }
    assert (job.records, job.created, job.updated) == (250, 30, 220)


def test_what_a_line_does_not_name_stays_and_null_clears(shop: Shop, tmp_path: Path) -> None:
    first = '{"external_id":"u1","a":1,"b":{"c":null},"locale":"en-GB","country":"GB"}\n'
    second = '{"external_id":"u1","a":null,"d":[],"locale":null}\n'
    third = '{"external_id":"u2","a":null}\n'
    shop.run(write(tmp_path, first, "one.jsonl"))

    shop.run(write(tmp_path, second + third, "two.jsonl"))

    assert shop.people() == {
        "u1": ({"b": {"c": None}, "d": []}, None, None, "GB"),
        "u2": ({}, None, None, None),
    }


def test_only_the_line_that_passes_the_limit_of_attributes_is_bad(
    shop: Shop, tmp_path: Path
) -> None:
    half = "x" * (ATTRIBUTES_LIMIT_BYTES // 2)
    lines = [
        f'{{"external_id":"big","a":"{half}"}}',
        f'{{"external_id":"big","b":"{half}"}}',
        '{"external_id":"big","c":1}',
        f'{{"external_id":"alone","a":"{half}{half}"}}',
        '{"external_id":"small","a":1}',
        f'{{"external_id":"small","a":null,"b":"{half}{half}"}}',
    ]

    job = shop.run(write(tmp_path, "\n".join(lines), "people.jsonl"))

    bad = shop.bad_lines(job)
    assert {line: fault["code"] for line, fault in bad.items()} == dict.fromkeys(
        (2, 4, 6), "too_long"
    )
    assert {name: set(values[0]) for name, values in shop.people().items()} == {
        "big": {"a", "c"},
        "small": {"a"},
    }


def test_a_person_too_large_by_what_is_known_of_them_is_a_bad_line(
    shop: Shop, tmp_path: Path
) -> None:
    half = "x" * (ATTRIBUTES_LIMIT_BYTES // 2)
    shop.run(write(tmp_path, f'{{"external_id":"u1","a":"{half}"}}', "one.jsonl"))

    job = shop.run(write(tmp_path, f'{{"external_id":"u1","b":"{half}"}}', "two.jsonl"))

    assert (job.failed, job.unchanged) == (1, 0)
    assert set(shop.people()["u1"][0]) == {"a"}


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        (",,,", "external_id", "missing"),
        (f"{'u' * 256},,,", "external_id", "too_long"),
        ("u\x85,,,", "external_id", "invalid_value"),
        ("u,e,,", "locale", "invalid_value"),
        ("u,,Mars/Olympus,", "time_zone", "invalid_value"),
        ("u,,,ZZ", "country", "invalid_value"),
    ],
)
def test_a_line_is_checked_as_the_api_checks(
    shop: Shop, tmp_path: Path, cells: str, column: str, code: str
) -> None:
    path = write(tmp_path, f"external_id,locale,time_zone,country\n{cells}\n")

    job = shop.run(path)

    fault = shop.bad_lines(job)[2]
    assert (fault["column"], fault["code"]) == (column, code)


def test_a_gz_cut_off_keeps_what_was_read_and_says_so(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes((_DATA / "cdnow_people.csv.gz").read_bytes()[:100_000])

    with pytest.raises(UnreadableFileError, match="cut off behind line"):
        shop.run(path)

    (state, reason, records) = shop.rows(
        "SELECT state, failed_reason, records FROM import_job WHERE app_id = :app_id"
    )[0]
    assert state == "failed"
    assert f"behind line {records + 1}." in reason
    assert len(shop.people()) == records > 5_000


_CSV = "external_id,consent_push,consent_analytics\nada,no,yes\nbob,,no\ncy,maybe,\n"
_JSONL = """\
{"external_id": "ada", "consents": {"push": false}, "consent_analytics": true}
{"external_id": "bob", "consents": {"analytics": false}}
{"external_id": "cy", "consents": []}
"""


@pytest.mark.parametrize(("name", "lines"), [("people.csv", _CSV), ("people.jsonl", _JSONL)])
def test_consents_come_with_their_source(shop: Shop, tmp_path: Path, name: str, lines: str) -> None:
    job = shop.run(write(tmp_path, lines, name))

    assert (job.created, job.failed) == (2, 1)
    found = shop.rows(
        "SELECT p.external_id, c.kind, c.granted, c.source FROM consent_change c "
        "JOIN person p ON p.app_id = c.app_id AND p.id = c.person_id "
        "WHERE c.app_id = :app_id ORDER BY 1, 2"
    )
    assert [tuple(row) for row in found] == [
        ("ada", "analytics", True, "import"),
        ("ada", "push", False, "import"),
        ("bob", "analytics", False, "import"),
    ]


def test_what_an_attribute_can_not_be_is_reported_by_line(shop: Shop, tmp_path: Path) -> None:
    with shop.database.begin() as connection:
        declare(connection, shop.app_id, "age", {"declared": "number"})
    lines = ['{"external_id": "a", "attributes": {"age": 36, "city": "London"}}']
    lines += ['{"external_id": "b", "attributes": {"age": "36"}}']
    lines += ['{"external_id": "c", "attributes": {"deep": [[[[[[[[[1]]]]]]]]]}}']
    lines += ['{"external_id": "d", "attributes": {"one": 1, "too": 1, "many": 1}}']
    lines += ['{"external_id": "e", "attributes": {"age": null, "city": "Paris"}}']
    limited = Shop(
        shop.database,
        shop.settings.model_copy(update={"attribute_names_limit": 4}),
        shop.app_id,
    )

    job = limited.run(write(tmp_path, "\n".join(lines), "people.jsonl"))

    assert (job.state, job.created, job.failed) == ("finished", 2, 3)
    found = shop.bad_lines(job)
    assert {line: (one["pointer"], one["code"]) for line, one in found.items()} == {
        2: ("/attributes/age", "wrong_type"),
        3: ("/attributes/deep", "too_deep"),
        4: ("/attributes/many", "too_many_names"),
    }
    assert set(shop.people()) == {"a", "e"}


def test_lines_by_an_alias_change_the_person_it_leads_to(shop: Shop, tmp_path: Path) -> None:
    shop.run(write(tmp_path, "external_id,plan\nada,free\n"))
    with shop.database.begin() as connection:
        alias(connection, shop.app_id, "ada", "lovelace")

    job = shop.run(write(tmp_path, "external_id,plan\nlovelace,pro\nbob,free\n", "more.csv"))

    assert (job.created, job.updated) == (1, 1)
    assert shop.people()["ada"][0] == {"plan": "pro"}
    assert set(shop.people()) == {"ada", "bob"}
