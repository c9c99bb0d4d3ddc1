"""Rules as marketers write them, every node of the language, with other literals at every call."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from bench.town import filling

Document = dict[str, Any]
Make = Callable[[Random], Document]

# Segments that rules of the town name.
SEGMENTS: Final[Mapping[str, Document]] = {
    "seg_gold": {"type": "attribute", "name": "plan", "operator": "in",
                 "value": ["gold", "platinum"]},
    "seg_buyers": {"type": "event", "name": "purchase", "window": {"last": "60 days"}},
}  # fmt: skip


def _attribute(name: str, operator: str, value: Any = None) -> Document:
    node = {"type": "attribute", "name": name, "operator": operator}
    return node if value is None else {**node, "value": value}


def _person(field: str, operator: str, value: Any = None) -> Document:
    node = {"type": "person", "field": field, "operator": operator}
    return node if value is None else {**node, "value": value}


def _event(name: str, **more: Any) -> Document:
    return {"type": "event", "name": name, **more}


def _device(match: str, *where: tuple[str, str, Any]) -> Document:
    tests = [{"field": field, "operator": operator, "value": value}
             for field, operator, value in where]  # fmt: skip
    return {"type": "device", "match": match, "where": tests}


def _rfm(measure: str, scores: list[int], **more: Any) -> Document:
    return {"type": "rfm", "event": "purchase", "measure": measure, "scores": scores, **more}


def _all(*nodes: Document) -> Document:
    return {"type": "all", "of": list(nodes)}


def _any(*nodes: Document) -> Document:
    return {"type": "any", "of": list(nodes)}


def _not(node: Document) -> Document:
    return {"type": "not", "of": node}


def _last(rng: Random, least: int, most: int) -> Document:
    """Return a window in hours, so that it is another one nearly every time."""
    return {"last": f"{rng.randint(least * 24, most * 24)} hours"}


def _ago(rng: Random, least: int, most: int) -> str:
    return f"{rng.randint(least * 1_440, most * 1_440)} minutes ago"


def _moment(rng: Random, least: int, most: int) -> str:
    back = timedelta(seconds=rng.randint(least * 86_400, most * 86_400))
    return (datetime.now(UTC) - back).isoformat(timespec="milliseconds")


def _between(rng: Random) -> Document:
    return {"from": _moment(rng, 100, 170), "to": _moment(rng, 10, 90)}


def _amount(rng: Random, least: int, most: int) -> float:
    return rng.randint(least * 100, most * 100) / 100


def _fresh(rng: Random, node: Document) -> Document:
    """Return a node whose literal is one of a few beside one that is hardly ever the same."""
    return _all(node, _attribute("points", ">", rng.randint(0, 5_000) + rng.randint(0, 99) / 100))


def _category(rng: Random) -> list[Document]:
    return [{"name": "category", "operator": "equals", "value": rng.choice(filling.CATEGORIES)}]


def _near(rng: Random) -> Document:
    point = {"lat": round(rng.uniform(48, 54), 5), "lon": round(rng.uniform(6, 16), 5)}
    return {"type": "geo", "near": point, "within_km": rng.randint(5, 200)}


def _bucket(rng: Random) -> Document:
    first = rng.randint(0, 5_000)
    return {"type": "bucket", "salt": f"salt-{rng.getrandbits(40)}", "from": first,
            "to": first + rng.randint(100, 4_000)}  # fmt: skip


def _sequence(rng: Random, then: str, days: int, *names: str) -> Document:
    within = f"{rng.randint(1, 96)} hours"
    return {"type": "sequence", "first": {"event": names[0]}, then: {"event": names[1]},
            "within": within, "window": _last(rng, days, days + 9)}  # fmt: skip


def _message(rng: Random, **more: Any) -> Document:
    return {"type": "message", "milestone": rng.choice(["sent", "accepted"]), **more}


_ATTRIBUTES: Mapping[str, Make] = {
    "everybody": lambda _: _all(),
    "equals": lambda rng: _fresh(rng, _attribute("plan", "equals", rng.choice(filling.PLANS))),
    "in": lambda rng: _attribute("address.city", "in", rng.sample(filling.CITIES, 3)),
    "not_equals": lambda rng: _fresh(rng, _attribute("last_category", "not_equals",
                                                     rng.choice(filling.CATEGORIES))),
    "greater": lambda rng: _attribute("spent", ">=", _amount(rng, 0, 2_000)),
    "range": lambda rng: _attribute("points", "between", sorted(rng.sample(range(10_000), 2))),
    "contains": lambda rng: _attribute("last_name", "contains", str(rng.randint(100, 9_999))),
    "starts_with": lambda rng: _attribute("email", "starts_with", f"{rng.getrandbits(12):03x}"),
    "matches": lambda rng: _attribute("company", "matches", rf"^Company {rng.randint(1, 299)}\d*$"),
    "missing": lambda rng: _any(_attribute("phone", "missing"),
                                _attribute("score", "<", rng.random())),
    "before": lambda rng: _attribute("birthday", "before", _moment(rng, 7_000, 25_000)[:10]),
    "after": lambda rng: _attribute("renews_at", "after", _ago(rng, 0, 180)),
    "anniversary": lambda rng: _attribute("birthday", "is_anniversary", rng.randint(-300, 300)),
    "array": lambda rng: _fresh(rng, _attribute("tags", "array_contains",
                                                rng.choice(filling.TAGS))),
    "near": _near,
    "countries": lambda rng: _fresh(rng, {"type": "geo",
                                          "countries": rng.sample(filling.COUNTRIES, 3)}),
    "bucket": _bucket,
}  # fmt: skip
_PEOPLE: Mapping[str, Make] = {
    "created": lambda rng: _person("created", "after", _ago(rng, 1, 170)),
    "last_seen": lambda rng: _person("last_seen", "before", _ago(rng, 5, 100)),
    "seen_lately": lambda rng: _person("last_seen", "after", _ago(rng, 1, 60)),
    "locale": lambda rng: _fresh(rng, _person("locale", "in", rng.sample(filling.LOCALES, 2))),
    "push_consent": lambda rng: _all(_person("push_consent", "equals", value=True),
                                     _attribute("points", ">", rng.randint(0, 9_999))),
    "no_device": lambda rng: _all(_person("has_device", "equals", value=False),
                                  _attribute("points", ">", rng.randint(0, 9_999))),
    "any_device": lambda rng: _device("any", ("platform", "equals", "ios"),
                                      ("model", "equals", rng.choice(filling.MODELS)),
                                      ("registered", "after", _ago(rng, 20, 170))),
    "every_device": lambda rng: _device("every", ("permission", "equals", "granted"),
                                        ("last_seen", "after", _ago(rng, 5, 160))),
    "version": lambda rng: _device("any", ("app_version", "<", rng.choice(filling.VERSIONS)),
                                   ("registered", "before", _ago(rng, 1, 100))),
    "provider": lambda rng: _device("any", ("provider", "equals", rng.choice(["fcm", "apns"])),
                                    ("last_seen", "before", _ago(rng, 1, 100))),
    "list": lambda rng: _all({"type": "list", "list": rng.choice(list(filling.LISTS))},
                             _attribute("score", "<", rng.random())),
    "segment": lambda rng: _all({"type": "segment", "segment": "seg_gold"},
                                _not({"type": "segment", "segment": "seg_buyers"}),
                                _attribute("score", "<", rng.random())),
    "message": lambda rng: _message(rng, window=_last(rng, 7, 60)),
    "this_message": lambda rng: _fresh(
        rng, _message(rng, message=f"msg_town_{rng.randint(0, filling.MESSAGES - 1)}")
    ),
    "no_message": lambda rng: _not(_message(rng, window=_last(rng, 20, 170))),
}  # fmt: skip
_EVENTS: Mapping[str, Make] = {
    "did": lambda rng: _event("purchase", window=_last(rng, 10, 60)),
    "did_often_used": lambda rng: _event("app_open", window=_last(rng, 60, 170)),
    "did_not": lambda rng: _event("app_open", operator="exactly", value=0,
                                  window=_last(rng, 20, 90)),
    "at_least": lambda rng: _event("view", operator="at_least", value=rng.randint(2, 9),
                                   window=_last(rng, 30, 170)),
    "at_most": lambda rng: _event("search", operator="at_most", value=rng.randint(1, 4),
                                  window=_between(rng)),
    "count_between": lambda rng: _event("app_open", operator="between",
                                        value=[rng.randint(1, 20), rng.randint(21, 2_000)]),
    "where": lambda rng: _event("view", where=_category(rng), window=_last(rng, 30, 120)),
    "where_ever": lambda rng: _event("app_open", operator="at_least", value=rng.randint(1, 3),
                                     where=[{"name": "amount", "operator": ">=",
                                             "value": _amount(rng, 10, 90)}, *_category(rng)]),
    "sum": lambda rng: _event("purchase", measure="sum", property="amount", operator=">",
                              value=_amount(rng, 10, 400)),
    "sum_in_window": lambda rng: _event("purchase", measure="sum", property="amount",
                                        operator="between", window=_last(rng, 30, 120),
                                        value=[_amount(rng, 10, 50), _amount(rng, 60, 400)]),
    "average": lambda rng: _event("view", measure="avg", property="amount", operator=">=",
                                  value=_amount(rng, 20, 90), window=_between(rng)),
    "highest": lambda rng: _event("cart_filled", measure="max", property="amount", operator="<",
                                  value=_amount(rng, 20, 150)),
    "lowest": lambda rng: _event("refund", measure="min", property="amount", operator=">=",
                                 value=_amount(rng, 5, 50), window=_last(rng, 60, 170)),
    "first": lambda rng: _event("sign_up", measure="first", operator="after",
                                value=_ago(rng, 10, 170)),
    "last": lambda rng: _event("app_open", measure="last", operator="before",
                               value=_ago(rng, 10, 90)),
    "then": lambda rng: _sequence(rng, "then", 60, "cart_filled", "purchase"),
    "then_often": lambda rng: _sequence(rng, "then", 30, "search", "view"),
    "then_not": lambda rng: _sequence(rng, "then_not", 30, "cart_filled", "purchase"),
    "recency": lambda rng: _rfm("recency", [rng.randint(1, 5)], window=_last(rng, 60, 170)),
    "frequency": lambda rng: _rfm("frequency", [rng.randint(3, 5)], window=_last(rng, 90, 170)),
    "monetary": lambda rng: _rfm("monetary", [rng.randint(1, 9), 10], quantiles=10,
                                 property="amount", window=_last(rng, 60, 170)),
}  # fmt: skip
_WHOLE: Mapping[str, Make] = {
    "win_back": lambda rng: _all(_attribute("plan", "in", rng.sample(filling.PLANS, 2)),
                                 _event("purchase", window=_last(rng, 90, 170)),
                                 _not(_event("purchase", window=_last(rng, 10, 60))),
                                 _person("push_consent", "equals", value=True)),
    "either": lambda rng: _any(_attribute("spent", ">", _amount(rng, 1_000, 1_999)),
                               _event("purchase", operator="at_least", value=rng.randint(2, 5),
                                      window=_last(rng, 60, 170)),
                               {"type": "list", "list": "lst_some"}),
    "neither": lambda rng: _not(_any(_event("refund", window=_last(rng, 30, 170)),
                                     _event("support", window=_last(rng, 30, 170)),
                                     _attribute("points", "<", rng.randint(0, 5_000)))),
    "nested": lambda rng: _all(_any(_near(rng), _attribute("address.city", "in",
                                                           rng.sample(filling.CITIES, 2))),
                               _any(_device("any", ("platform", "equals", "ios")),
                                    _rfm("frequency", [4, 5])),
                               _not(_all(_bucket(rng),
                                         _event("view", where=_category(rng),
                                                window=_last(rng, 5, 40))))),
}  # fmt: skip
RULES: Final[Mapping[str, Make]] = {**_ATTRIBUTES, **_PEOPLE, **_EVENTS, **_WHOLE}
