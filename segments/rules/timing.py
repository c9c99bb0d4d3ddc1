"""How long a rule may take in the database, and what is said when that is over."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from psycopg import errors as postgres
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from core.errors import UnavailableError
from segments.rules.repository import plan_for_rules


class RuleTimeoutError(UnavailableError):
    """The rule took too long to answer and was stopped. Name shorter windows or fewer nodes."""

    code = "rule_timeout"


@contextlib.contextmanager
def asking(connection: Connection, seconds: float, *, of_all: bool = True) -> Iterator[None]:
    """Have the clock, and for questions `of_all` people the planner, set up for rules.

    The transaction must do nothing else afterwards. Raises `RuleTimeoutError` when one statement
    takes longer than `seconds`.
    """
    if of_all:
        plan_for_rules(connection)
    limit = f"{round(seconds * 1_000)}ms"
    connection.execute(sa.select(sa.func.set_config("statement_timeout", limit, True)))  # noqa: FBT003
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, postgres.QueryCanceled):
            raise
        words = f"The rule was stopped after {seconds:g} seconds. Name shorter windows or less."
        raise RuleTimeoutError(words) from error
