"""Real purchases: rules in SQL against pandas, which shares no line with them."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, text

from segments.rules.moments import Clock
from segments.rules.parsing import parse_rule
from segments.rules.repository import plan_for_rules
from segments.rules.sql.compiler import select_people
from segments.rules.sql.sources import Scope
from segments.tables import person
from tests.repository_files import ROOT

NOW = datetime(2022, 7, 1, 12, tzinfo=UTC)
Frame = pd.DataFrame
Wanted = Callable[[Frame], Any]


def _purchases() -> Frame:
    with gzip.open(ROOT / "tests" / "data" / "cdnow_transactions.txt.gz", "rt") as file:
        names = ["customer", "day", "items", "dollars"]
        frame = pd.read_csv(file, sep=r"\s+", names=names, dtype=str)
    frame["at"] = pd.to_datetime(frame["day"], format="%Y%m%d", utc=True) + pd.Timedelta(hours=9)
    frame["items"] = frame["items"].astype("int64")
    # Whole cents, so that pandas adds them up exactly.
    frame["cents"] = frame["dollars"].str.replace(".", "").astype("int64")
    return frame


@pytest.fixture(scope="module")
def purchases() -> Frame:
    return _purchases()


@pytest.fixture(scope="module")
def shop(rules_engine: Engine, purchases: Frame) -> Iterator[tuple[Connection, int]]:
    """The purchases as events, in a transaction that is rolled back; and the app."""
    with rules_engine.connect() as connection, connection.begin() as transaction:
        app_id = connection.scalar(
            text(
                "INSERT INTO app (public_id, name, identity_secret)"
                " VALUES ('c', 'c', '') RETURNING id"
            )
        )
        assert isinstance(app_id, int)
        values = {"app": app_id, "names": purchases["customer"].unique().tolist()}
        connection.execute(
            text(
                "INSERT INTO person (app_id, external_id)"
                " SELECT :app, unnest(CAST(:names AS text[]))"
            ),
            values,
        )
        columns = ("customer", "at", "items", "dollars")
        given = {name: purchases[name].astype(str).tolist() for name in columns}
        connection.execute(
            text(
                "INSERT INTO event (app_id, person_id, uuid, name, properties, at)"
                " SELECT :app, p.id, gen_random_uuid(), 'purchase', jsonb_build_object("
                " 'items', items::int, 'amount', dollars::numeric), at::timestamptz"
                " FROM unnest(CAST(:customer AS text[]), CAST(:at AS text[]),"
                " CAST(:items AS text[]), CAST(:dollars AS text[]))"
                " AS u(customer, at, items, dollars)"
                " JOIN person p ON p.app_id = :app AND p.external_id = customer"
            ),
            {"app": app_id, **given},
        )
        connection.execute(text("ANALYZE event, person"))
        yield connection, app_id
        transaction.rollback()


def bought(**more: Any) -> dict[str, Any]:
    return {"type": "event", "name": "purchase", **more}


def condition(name: str, operator: str, value: Any) -> dict[str, Any]:
    return {"name": name, "operator": operator, "value": value}


def counted(operator: str, value: Any, **more: Any) -> dict[str, Any]:
    return bought(operator=operator, value=value, **more)


def measured(measure: str, name: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    return bought(measure=measure, property=name, operator=operator, value=value, **more)


def negated(node: Any) -> dict[str, Any]:
    return {"type": "not", "of": node}


def ranked(measure: str, scores: list[int], **more: Any) -> dict[str, Any]:
    amount = {"property": "amount"} if measure == "monetary" else {}
    return {
        "type": "rfm",
        "event": "purchase",
        "measure": measure,
        "scores": scores,
        **amount,
        **more,
    }


def followed(first: Any = (), then: Any = (), *, key: str = "then", **more: Any) -> dict[str, Any]:
    steps = {"first": list(first), key: list(then)}
    return {
        "type": "sequence",
        **{name: {"event": "purchase", "where": where} for name, where in steps.items()},
        **more,
    }


def since(frame: Frame, days: int) -> Frame:
    return frame[frame["at"] >= pd.Timestamp(NOW) - pd.Timedelta(days=days)]


def between(frame: Frame, first: str, last: str) -> Frame:
    end = pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=1)
    return frame[(frame["at"] >= pd.Timestamp(first, tz="UTC")) & (frame["at"] < end)]


def counts(frame: Frame, everybody: Frame) -> Any:
    """Return how many purchases each customer has in `frame`, with those who have none."""
    return frame.groupby("customer").size().reindex(everybody["customer"].unique(), fill_value=0)


def pick(series: Any) -> Any:
    return series[series].index


def scores(values: Any, parts: int) -> Any:
    return ((values.rank(method="min") - 1) * parts // len(values) + 1).astype(int)


def pairs(first: Frame, then: Frame, days: int) -> Any:
    """Return the purchases of `first`, by row, that one of `then` follows in time."""
    both = first.reset_index().merge(then, on="customer", suffixes=("", "_then"))
    gap = both["at_then"] - both["at"]
    return both[(gap > pd.Timedelta(0)) & (gap <= pd.Timedelta(days=days))]


def left_alone(first: Frame, then: Frame, days: int) -> Any:
    over = first[first["at"] <= pd.Timestamp(NOW) - pd.Timedelta(days=days)]
    return over.drop(pairs(over, then, days)["index"].unique())["customer"]


def by(frame: Frame, column: str) -> Any:
    return frame.groupby("customer")[column]


SUMMER = {"window": {"from": "2021-06-01", "to": "2021-12-31"}}
BIG = condition("amount", ">", 100)
RULES: list[tuple[str, Any, Wanted]] = [
    ("ever", bought(), lambda f: f["customer"]),
    ("once", counted("exactly", 1), lambda f: pick(counts(f, f) == 1)),
    ("twice or more", counted("at_least", 2), lambda f: pick(counts(f, f) >= 2)),
    ("at most twice", counted("at_most", 2), lambda f: pick(counts(f, f) <= 2)),
    ("three to five times", counted("between", [3, 5]), lambda f: pick(counts(f, f).between(3, 5))),
    ("ten times", counted("at_least", 10), lambda f: pick(counts(f, f) >= 10)),
    ("last 90 days", bought(window={"last": "90 days"}), lambda f: since(f, 90)["customer"]),
    ("not in the last 180 days", counted("exactly", 0, window={"last": "180 days"}),
     lambda f: pick(counts(since(f, 180), f) == 0)),
    ("twice in half a year", counted("at_least", 2, **SUMMER),
     lambda f: pick(counts(between(f, "2021-06-01", "2021-12-31"), f) >= 2)),
    ("once in a quarter", counted("exactly", 1, window={"from": "2021-01-01", "to": "2021-03-31"}),
     lambda f: pick(counts(between(f, "2021-01-01", "2021-03-31"), f) == 1)),
    ("over 100 dollars", measured("sum", "amount", ">", 100),
     lambda f: pick(by(f, "cents").sum() > 10_000)),
    ("50 dollars in a year", measured("sum", "amount", ">=", 50, window={"last": "365 days"}),
     lambda f: pick(by(since(f, 365), "cents").sum() >= 5_000)),
    ("20 to 40 dollars", measured("sum", "amount", "between", [20, 40]),
     lambda f: pick(by(f, "cents").sum().between(2_000, 4_000))),
    ("11.77 dollars", measured("sum", "amount", "equals", 11.77),
     lambda f: pick(by(f, "cents").sum() == 1_177)),
    ("a big one", measured("max", "amount", ">", 200),
     lambda f: pick(by(f, "cents").max() > 20_000)),
    ("a small one", measured("min", "amount", "<", 5), lambda f: pick(by(f, "cents").min() < 500)),
    ("on average over 50", measured("avg", "amount", ">", 50),
     lambda f: pick(by(f, "cents").sum() > 5_000 * by(f, "cents").size())),
    ("ten items", measured("sum", "items", ">=", 10), lambda f: pick(by(f, "items").sum() >= 10)),
    ("two items on average", measured("avg", "items", "equals", 2),
     lambda f: pick(by(f, "items").sum() == 2 * by(f, "items").size())),
    ("first before February", bought(measure="first", operator="before", value="2021-02-01"),
     lambda f: pick(by(f, "at").min() < pd.Timestamp("2021-02-01", tz="UTC"))),
    ("last after May", bought(measure="last", operator="after", value="2022-05-31"),
     lambda f: pick(by(f, "at").max() >= pd.Timestamp("2022-06-01", tz="UTC"))),
    ("lapsed", bought(measure="last", operator="before", value="180 days ago"),
     lambda f: pick(by(f, "at").max() < pd.Timestamp(NOW) - pd.Timedelta(days=180))),
    ("two big ones", counted("at_least", 2, where=[BIG]),
     lambda f: pick(counts(f[f["cents"] > 10_000], f) >= 2)),
    ("never a single item", counted("exactly", 0, where=[condition("items", "equals", 1)]),
     lambda f: pick(counts(f[f["items"] == 1], f) == 0)),
    ("few and cheap", bought(where=[condition("amount", "between", [10, 20]),
                                    condition("items", "in", [1, 2])]),
     lambda f: f[f["cents"].between(1_000, 2_000) & f["items"].isin([1, 2])]["customer"]),
    ("again within a week", followed(within="7 days"), lambda f: pairs(f, f, 7)["customer"]),
    ("not again within 90 days", followed(key="then_not", within="90 days"),
     lambda f: left_alone(f, f, 90)),
    ("big, then small", followed([BIG], [condition("amount", "<", 20)], within="30 days"),
     lambda f: pairs(f[f["cents"] > 10_000], f[f["cents"] < 2_000], 30)["customer"]),
    ("one quarter only", followed(key="then_not", within="60 days",
                                  window={"from": "2021-01-01", "to": "2021-03-31"}),
     lambda f: left_alone(between(f, "2021-01-01", "2021-03-31"), f, 60)),
    ("most recent", ranked("recency", [5]), lambda f: pick(scores(by(f, "at").max(), 5) == 5)),
    ("most frequent", ranked("frequency", [4, 5]),
     lambda f: pick(scores(by(f, "at").size(), 5) >= 4)),
    ("best paying", ranked("monetary", [5]), lambda f: pick(scores(by(f, "cents").sum(), 5) == 5)),
    ("worst tenth of a year", ranked("monetary", [1], quantiles=10, window={"last": "365 days"}),
     lambda f: pick(scores(by(since(f, 365), "cents").sum(), 10) == 1)),
    ("loyal but gone", {"type": "all", "of": [counted("at_least", 3),
                                              negated(bought(window={"last": "180 days"}))]},
     lambda f: set(pick(counts(f, f) >= 3)) - set(since(f, 180)["customer"])),
    ("neither recent nor rich", negated({"type": "any", "of": [
        bought(window={"last": "90 days"}), measured("sum", "amount", ">", 100)]}),
     lambda f: set(f["customer"]) - set(since(f, 90)["customer"])
     - set(pick(by(f, "cents").sum() > 10_000))),
    ("recent or rich", {"type": "any", "of": [
        counted("exactly", 1, window={"last": "90 days"}), ranked("monetary", [5])]},
     lambda f: set(pick(counts(since(f, 90), f) == 1))
     | set(pick(scores(by(f, "cents").sum(), 5) == 5))),
]  # fmt: skip


def test_there_are_thirty_rules_and_more() -> None:
    assert len(RULES) >= 30


@pytest.mark.parametrize(("name", "document", "wanted"), RULES, ids=[rule[0] for rule in RULES])
def test_rules_over_real_purchases_are_what_pandas_says(
    shop: tuple[Connection, int], purchases: Frame, name: str, document: Any, wanted: Wanted
) -> None:
    connection, app_id = shop
    plan_for_rules(connection)
    matched = select_people(parse_rule(document), Scope(app_id, Clock(NOW))).subquery()

    names = person.select().with_only_columns(person.c.external_id)
    found = connection.scalars(names.join_from(person, matched, person.c.id == matched.c.id)).all()

    expected = set(wanted(purchases))
    assert len(expected) > 0
    assert len(found) == len(set(found))
    assert set(found) == expected
