"""Values of rules as bound parameters of a stated type: nothing of a caller becomes text of SQL."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from segments.rules.values import to_json_number

Truth = ColumnElement[bool]
MOMENT = sa.DateTime(timezone=True)


def bound(value: Any, kind: Any) -> ColumnElement[Any]:
    """Return a value as a parameter of a type."""
    return sa.cast(sa.bindparam(None, value, type_=kind), kind)


def text(value: str) -> ColumnElement[Any]:
    """Return a text. Equal ones are the same bytes under every collation there can be."""
    return bound(value, sa.Text)


def texts(values: Sequence[str]) -> ColumnElement[Any]:
    """Return an array of texts."""
    return bound(list(values), ARRAY(sa.Text))


def shared_texts(name: str, values: Sequence[str]) -> ColumnElement[Any]:
    """Return an array of texts that is sent once, however often a statement asks for `name`."""
    kind = ARRAY(sa.Text)
    return sa.cast(sa.bindparam(name, list(values), type_=kind), kind)


def by_code(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a text or array that is ordered by code points, wherever the database lives."""
    return sa.collate(sa.type_coerce(column, sa.Text), "C")


def number(value: Decimal | int) -> ColumnElement[Any]:
    """Return an exact number."""
    return bound(Decimal(value), sa.Numeric)


def moment(at: datetime) -> ColumnElement[Any]:
    """Return a moment."""
    return bound(at, MOMENT)


def json_value(value: Any) -> ColumnElement[Any]:
    """Return a scalar, or a list with one, as jsonb."""
    return sa.cast(bound(_dumps(value), sa.Text), JSONB)


def json_values(values: Sequence[Any]) -> ColumnElement[Any]:
    """Return scalars as an array of jsonb."""
    return sa.cast(bound([_dumps(value) for value in values], ARRAY(sa.Text)), ARRAY(JSONB))


def _dumps(value: Any) -> str:
    plain = [_plain(one) for one in value] if isinstance(value, list) else _plain(value)
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return to_json_number(value) if isinstance(value, Decimal) else value
