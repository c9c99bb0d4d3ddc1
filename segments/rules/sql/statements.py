"""A compiled rule as a text with named parameters, for statements that are written as texts."""

import re
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
_PARAMETER = re.compile(r"%\((\w+)\)s")


def as_text(statement: Select[Any], prefix: str = "rule_") -> tuple[str, dict[str, Any]]:
    """Return a SELECT for `sqlalchemy.text`, and the values of its parameters.

    The text is made of our own words alone: whatever a rule says stands in the values, whose names
    begin with `prefix`, so that they can stand beside those of the statement around it.
    """
    compiled = statement.compile(dialect=_DIALECT)
    # In brackets, since a colon that follows a name would make it none.
    text = _PARAMETER.sub(rf"(:{prefix}\1)", str(compiled)).replace("%%", "%")
    return text, {f"{prefix}{name}": value for name, value in compiled.params.items()}
