"""Dates whose parts are looked up: what passes is a date, and what most dates look like passes."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from segments.rules.datetexts import PLAIN_PARTS, is_date_text
from segments.rules.sql.binding import texts
from segments.rules.sql.comparisons import is_plain_date

_DAY = "2026-03-29"
_PLAIN = [
    *(_DAY, "1900-01-01", "2100-12-31", "2026-01-31", "2026-04-30", "2026-02-28"),
    *(
        f"{_DAY}{mark}12:34:56{end}"
        for mark in "Tt "
        for end in ("Z", "z", ".123Z", ".123z", ".123456Z")
    ),
    *(f"{_DAY}T00:00:00Z", f"{_DAY}T23:59:59.999999Z"),
]
# Dates, but not plain ones: the expression says so.
_OTHERS = [
    *("2024-02-29", "1899-12-31", "2101-01-01", "9999-12-31", f"{_DAY}T12:34:56.1Z"),
    *(
        f"{_DAY}T12:34:56{end}"
        for end in (".123456789Z", "+02:00", "-00:00", ".123456z", ".12345Z")
    ),
]
_NONE = [
    *("", _DAY[:9], f"{_DAY} ", f"{_DAY}Z", f"{_DAY}T", "2026-02-29", "2026-04-31", "2026-00-10"),
    *("2026-13-01", "2026-03-00", "0026-03-29", "2026/03/29", "2026-3-029", "x026-03-29"),
    *(f"{_DAY}T24:00:00Z", f"{_DAY}T12:60:00Z", f"{_DAY}T12:34:60Z", f"{_DAY}_12:34:56Z"),
    *(f"{_DAY}T12:34:56{end}" for end in ("", "Z\n", "ZZ", ".Z", ".12Z3", ".123", ".123ZZ", "+2")),
    *(f"{_DAY}T12:34:56{end}" for end in (".1234567890Z", ".123456", ",123Z", ".12aZ", ".123 Z")),
    *(f"{_DAY}T12:34Z", f"{_DAY}T12.34.56Z", f"{_DAY}T1:34:56Z", f"{_DAY}\n", f"\n{_DAY}"),
    *("٢٠٢٦-٠٣-٢٩", f"{_DAY}T12:34:5\uff16Z", "-2026-03-2", "20260329T1", f"{_DAY}T12:34:56+15:00"),
]


def _are_plain(engine: Engine, values: Sequence[str]) -> list[bool]:
    listed = (
        sa.func.unnest(texts(values))
        .table_valued("value", with_ordinality="place")
        .render_derived()
    )
    statement = sa.select(is_plain_date(listed.c.value)).order_by(listed.c.place)
    with engine.connect() as connection:
        return list(connection.execute(statement).scalars())


@pytest.mark.parametrize(
    ("values", "plain", "dates"),
    [(_PLAIN, True, True), (_OTHERS, False, True), (_NONE, False, False)],
)
def test_what_is_plain_is_a_date(
    rules_engine: Engine, values: Sequence[str], plain: Any, dates: Any
) -> None:
    assert [is_date_text(one) for one in values] == [dates] * len(values)
    assert _are_plain(rules_engine, values) == [plain] * len(values)


def test_every_part_makes_a_date(rules_engine: Engine) -> None:
    parts = PLAIN_PARTS
    made = [f"{year}-02-28" for year in parts["year"]] + [f"2026{day}" for day in parts["day"]]
    made += [f"{_DAY}{hour}:00:00Z" for hour in parts["hour"]]
    made += [f"{_DAY}T12{one}{other}Z" for one, other in zip(*[parts["sixtieth"]] * 2, strict=True)]
    made += [f"{_DAY}T12:00:00{one}Z" for one in parts["fraction"]]
    made += [f"{_DAY}T12:00:00.000{end}" for end in parts["end"] if end != "z"]

    assert [one for one in made if not is_date_text(one)] == []
    plain = _are_plain(rules_engine, made)
    assert [one for one, fits in zip(made, plain, strict=True) if not fits] == []
