"""The rule language as one table: each node with its forms and examples. Pure.

Parser, JSON schema and the reference page follow from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from segments.rules import building, operators
from segments.rules.building import BUCKETS, MILESTONES, QUANTILES_LIMIT
from segments.rules.kinds import NODE, NODES, PATH, listed, real, whole
from segments.rules.node import All, InSegment, Not, OnList, Some
from segments.rules.reading import Choice, Field, Form, Place


@dataclass(frozen=True, slots=True)
class Word:
    """A node of the language. `build` makes a node of what one of the forms held."""

    words: str
    forms: Sequence[Form]
    build: Callable[[Mapping[str, Any], Place], Any]
    examples: Sequence[Mapping[str, Any]]


_NODES_FIELD = {"of": Field(NODES, "The nodes inside.")}
_LATITUDE = Field(PATH, "The attribute with the degrees north.", default=("lat",))
_LONGITUDE = Field(PATH, "The attribute with the degrees east.", default=("lon",))
_QUANTILES = Field(whole(2, QUANTILES_LIMIT), "Into how many parts everybody is ranked.", default=5)
_RANKED = {
    "event": building.EVENT_NAME,
    "quantiles": _QUANTILES,
    "scores": Field(listed(whole(1, QUANTILES_LIMIT)), "The scores that are meant; 1 is lowest."),
    "window": building.WINDOW,
}
_RECENCY = "By when they did it last, how often, or how much."
_PART = whole(0, BUCKETS - 1)

LANGUAGE: Final[Mapping[str, Word]] = {
    "all": Word(
        "All of the nodes hold. Without any, everybody is meant.",
        [Form(fields=_NODES_FIELD)],
        lambda values, place: All(of=values["of"], pointer=place.pointer),
        [{"of": []}],
    ),
    "any": Word(
        "At least one of the nodes holds. Without any, nobody is meant.",
        [Form(fields=_NODES_FIELD)],
        lambda values, place: Some(of=values["of"], pointer=place.pointer),
        [{"of": [{"type": "attribute", "name": "vip", "operator": "equals", "value": True}]}],
    ),
    "not": Word(
        "The node inside does not hold.",
        [Form(fields={"of": Field(NODE, "The node inside.")})],
        lambda values, place: Not(of=values["of"], pointer=place.pointer),
        [{"of": {"type": "person", "field": "has_device", "operator": "equals", "value": True}}],
    ),
    "attribute": Word(
        "An attribute of the person compares as the operator says.",
        operators.forms(operators.ATTRIBUTE, {"name": Field(PATH, "The path of the attribute.")}),
        building.build_attribute,
        [
            {"name": "address.city", "operator": "in", "value": ["Berlin", "Wien"]},
            {"name": "orders", "operator": ">=", "value": 3},
            {"name": "birthday", "operator": "is_anniversary"},
        ],
    ),
    "event": Word(
        "A measure of the person's events of one name compares as the operator says.",
        building.EVENT_FORMS,
        building.build_event,
        [
            {"name": "purchase", "window": {"last": "30 days"}},
            {"name": "purchase", "operator": "exactly", "value": 0},
            {
                "name": "purchase",
                "where": [{"name": "currency", "operator": "equals", "value": "EUR"}],
                "measure": "sum",
                "property": "amount",
                "operator": ">",
                "value": 99.5,
                "window": {"from": "2026-01-01", "to": "2026-06-30"},
            },
            {"name": "sign_up", "measure": "first", "operator": "after", "value": "7 days ago"},
        ],
    ),
    "sequence": Word(
        "The person did the first thing, and within some time then did the other, or did not.",
        [
            building.sequence_form("then", "What was done after that."),
            building.sequence_form("then_not", "What was not done after that."),
        ],
        building.build_followed,
        [
            {"first": {"event": "sign_up"}, "then": {"event": "purchase"}, "within": "7 days"},
            {
                "first": {"event": "cart_filled"},
                "then_not": {"event": "purchase"},
                "within": "24 hours",
                "window": {"last": "30 days"},
            },
        ],
    ),
    "device": Word(
        "A device of the person meets all conditions, or every device does and there is one.",
        [
            Form(
                {"match": Choice(("any", "every"), "Which devices.", default="any")},
                {"where": Field(building.DEVICE_WHERE, "What the device must be.", default=())},
            )
        ],
        building.build_device,
        [
            {"where": [{"field": "platform", "operator": "equals", "value": "ios"}]},
            {
                "match": "every",
                "where": [{"field": "app_version", "operator": ">=", "value": "4.2.0"}],
            },
        ],
    ),
    "message": Word(
        "A message, or any message, came that far for the person.",
        [
            Form(
                {"milestone": Choice(MILESTONES, "How far it came.")},
                {
                    "message": Field(building.ID, "One message; else any.", default=None),
                    "campaign": Field(building.ID, "Those of one campaign.", default=None),
                    "window": building.WINDOW,
                },
            )
        ],
        building.build_message,
        [{"milestone": "accepted", "window": {"last": "7 days"}}],
    ),
    "person": Word(
        "What Carillon itself knows about the person compares as the operator says.",
        [
            form
            for names, groups in building.PERSON_FIELDS.items()
            for form in operators.forms(groups, {}, {"field": Choice(names, building.ABOUT)})
        ],
        building.build_person,
        [
            {"field": "created", "operator": "after", "value": "30 days ago"},
            {"field": "push_consent", "operator": "equals", "value": True},
        ],
    ),
    "geo": Word(
        "The person is within some kilometres of a point, or in one of some countries.",
        [
            Form(
                fields={
                    "near": Field(building.POINT, "The point."),
                    "within_km": Field(real(0, building.FARTHEST_KM), "How far, in kilometres."),
                    "latitude": _LATITUDE,
                    "longitude": _LONGITUDE,
                }
            ),
            Form(fields={"countries": Field(listed(building.COUNTRY), "ISO 3166-1 codes.")}),
        ],
        building.build_geo,
        [
            {"near": {"lat": 52.52, "lon": 13.405}, "within_km": 25},
            {"countries": ["AT", "CH", "DE"]},
        ],
    ),
    "rfm": Word(
        "The person has one of these scores among everybody who did the event.",
        [
            Form({"measure": Choice(("recency", "frequency"), _RECENCY)}, _RANKED),
            Form(
                {"measure": Choice(("monetary",), _RECENCY)},
                {**_RANKED, "property": building.AMOUNT},
            ),
        ],
        building.build_rfm,
        [
            {"event": "purchase", "measure": "recency", "scores": [5]},
            {
                "event": "purchase",
                "measure": "monetary",
                "property": "amount",
                "scores": [4, 5],
                "window": {"last": "1 year"},
            },
        ],
    ),
    "list": Word(
        "The person is on a static list.",
        [Form(fields={"list": Field(building.ID, "The id of the list.")})],
        lambda values, place: OnList(list=values["list"], pointer=place.pointer),
        [{"list": "lst_mfrggzdfmztwq2lknnwg23tpoa"}],
    ),
    "segment": Word(
        "The person is in another segment.",
        [Form(fields={"segment": Field(building.ID, "The id of the segment.")})],
        lambda values, place: InSegment(segment=values["segment"], pointer=place.pointer),
        [{"segment": "seg_mfrggzdfmztwq2lknnwg23tpoa"}],
    ),
    "bucket": Word(
        "The person falls into some of 10,000 equal parts, always the same for a salt.",
        [
            Form(
                fields={
                    "salt": Field(building.SALT, "Another salt divides people another way."),
                    "from": Field(_PART, "The first part, from 0."),
                    "to": Field(_PART, "The last part, up to 9999."),
                }
            )
        ],
        building.build_bucket,
        [{"salt": "spring-2026", "from": 0, "to": 999}],
    ),
}
