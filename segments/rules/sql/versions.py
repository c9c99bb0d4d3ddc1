"""Versions compared in SQL as `versions` does it: by numbers, then by what is behind the hyphen."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import ARRAY

from delivery.tables import device
from segments.rules.node import Comparison
from segments.rules.sql.binding import Truth, bound, by_code, text, texts
from segments.rules.sql.comparisons import compare, presence_holds
from segments.rules.versions import NUMBERS, RELEASE, VERSION, Version, parse_version

_BIGINTS = ARRAY(sa.BigInteger)


def version_holds(app_id: int, test: Comparison, column: ColumnElement[Any]) -> Truth:
    """Compare a column of versions, which may be null.

    There are few versions on many devices: each is compared once, and looked for by its frequency.
    """
    if test.operator in {"exists", "missing"}:
        return presence_holds(test, column)
    each = (
        sa.select(column.label("version"), sa.func.count().label("devices"))
        .where(device.c.app_id == app_id, column.is_not(None))
        .group_by(column)
        .subquery()
    )
    is_version = each.c.version.op("~", is_comparison=True)(text(VERSION))
    fits = sa.case((is_version, _compared(test, each.c.version)), else_=sa.false())
    wanted = sa.select(each.c.version).where(fits).order_by(each.c.devices.desc())
    return column == sa.any_(sa.func.array(wanted.scalar_subquery(), type_=ARRAY(sa.Text)))


def _compared(test: Comparison, column: ColumnElement[Any]) -> Truth:
    key = sa.tuple_(_numbers(column), _before_release(column))
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    wanted = [_key(found) for value in values if (found := parse_version(value))]
    if test.operator == "in":
        return sa.or_(*(key == one for one in wanted))
    if test.operator == "between":
        return sa.and_(key >= wanted[0], key <= wanted[1])
    return compare(test.operator, key, wanted[0])


def _key(version: Version) -> Any:
    return sa.tuple_(bound(list(version.numbers), _BIGINTS), texts(version.before_release))


def _numbers(column: ColumnElement[Any]) -> ColumnElement[Any]:
    core = sa.func.substring(column, text("^[vV]?([0-9]+(?:[.][0-9]+)*)"))
    given = sa.cast(sa.func.string_to_array(core, "."), _BIGINTS)
    padded = sa.func.array_cat(given, bound([0] * NUMBERS, _BIGINTS), type_=_BIGINTS)
    return padded[1:NUMBERS]


def _before_release(column: ColumnElement[Any]) -> ColumnElement[Any]:
    suffix = sa.func.substring(sa.func.split_part(column, "+", 1), text("^[^-]*-(.*)$"))
    each = sa.func.unnest(sa.func.string_to_array(suffix, ".")).table_valued(
        sa.column("part", sa.Text), with_ordinality="place", joins_implicitly=True
    )
    each = each.render_derived()
    digits = sa.func.ltrim(each.c.part, "0")
    length = sa.func.lpad(sa.cast(sa.func.length(digits), sa.Text), 3, "0")
    key = sa.case(
        (
            each.c.part.op("~", is_comparison=True)(text("^[0-9]+$")),
            sa.func.concat("0", length, digits),
        ),
        else_=sa.func.concat("1", each.c.part),
    )
    keys = sa.func.array(sa.select(key).order_by(each.c.place).scalar_subquery())
    return by_code(sa.case((suffix.is_(None), texts(RELEASE)), else_=keys))
