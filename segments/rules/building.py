"""What the nodes of rules are made of, and how they are built of what was read. Pure."""

from collections.abc import Mapping
from typing import Any

from segments.rules import operators
from segments.rules.canonical import sort_key
from segments.rules.kinds import LENGTH, MOMENT, NAME, PATH, listed, matching, obj, real
from segments.rules.moments import Window
from segments.rules.node import (
    EVER,
    Attribute,
    Bucket,
    Comparison,
    Condition,
    Device,
    Event,
    Events,
    Followed,
    InCountry,
    Message,
    Near,
    Node,
    Person,
    Ranking,
    Rfm,
)
from segments.rules.reading import Choice, Field, Form, Kind, Place

Values = Mapping[str, Any]

WHERE_LIMIT = 20
BUCKETS = 10_000
QUANTILES_LIMIT = 100
MILESTONES = ("sent", "accepted", "confirmed", "opened", "converted")
# Which goal a message led to is not stored yet.
UNKNOWN_MILESTONES = frozenset({"converted"})
FARTHEST_KM = 20_040.0
COUNTRY = matching("^[A-Z]{2}$", "must be a two-letter code in capitals, such as DE", 2)
ID = matching("^[A-Za-z0-9_]{1,64}$", "must be an id of this app", 64)
SALT = matching("^[A-Za-z0-9._-]{1,64}$", "must be letters, digits, `.`, `_` and `-`", 64)


def _test(values: Values) -> Comparison:
    return Comparison(values["operator"], values.get("value"))


def _condition(values: Values, place: Place) -> Condition:
    path = values["name"] if "name" in values else (values["field"],)
    return Condition(path, _test(values), place.pointer)


def _read_window(value: Any, place: Place) -> Any:
    is_last = isinstance(value, Mapping) and "last" in value
    return (_LAST if is_last else _BETWEEN).read(value, place)


_LAST = obj(
    [Form(fields={"last": Field(LENGTH, "From this long ago until now.")})],
    lambda values, _: Window(last=values["last"]),
)
_BETWEEN = obj(
    [
        Form(
            fields={
                "from": Field(MOMENT, "From this moment on; a day from its start.", default=None),
                "to": Field(MOMENT, "Until this moment; a day until its end.", default=None),
            }
        )
    ],
    lambda values, _: Window(since=values["from"], until=values["to"]),
)
WINDOW = Field(
    Kind(_read_window, {"oneOf": [_LAST.schema, _BETWEEN.schema]}),
    "When it happened; without it, ever until now.",
    default=EVER,
)
_WHERE = Field(
    listed(
        obj(operators.forms(operators.VALUE, {"name": Field(PATH, "A property.")}), _condition),
        WHERE_LIMIT,
        key=sort_key,
        least=0,
    ),
    "What the event's properties must be, all of it.",
    default=(),
)
AMOUNT = Field(PATH, "The property whose numbers are taken; what is no number is left out.")
EVENT_NAME = Field(NAME, "The name of the events.")


def build_attribute(values: Values, place: Place) -> Node:
    """Return a comparison of an attribute."""
    return Attribute(path=values["name"], test=_test(values), pointer=place.pointer)


def build_event(values: Values, place: Place) -> Node:
    """Return a comparison of a measure of events."""
    return Event(
        events=Events(name=values["name"], where=values["where"]),
        measure=values["measure"],
        amount=values.get("property"),
        test=_test(values),
        window=values["window"],
        pointer=place.pointer,
    )


_EVENT_FIELDS = {"name": EVENT_NAME, "where": _WHERE, "window": WINDOW}
_MEASURE = "What is measured."
EVENT_FORMS = (
    *operators.count_forms(
        _EVENT_FIELDS, {"measure": Choice(("count",), _MEASURE, default="count")}
    ),
    *operators.forms(
        operators.AMOUNT,
        {**_EVENT_FIELDS, "property": AMOUNT},
        {"measure": Choice(("sum", "min", "max", "avg"), _MEASURE)},
    ),
    *operators.forms(
        operators.TIME, _EVENT_FIELDS, {"measure": Choice(("first", "last"), _MEASURE)}
    ),
)

_STEP = obj(
    [Form(fields={"event": EVENT_NAME, "where": _WHERE})],
    lambda values, _: Events(name=values["event"], where=values["where"]),
)


def build_followed(values: Values, place: Place) -> Any:
    """Return a sequence, or say what is wrong with it."""
    if values["within"].months:
        return place.at("within").refuse("invalid_value", "must be minutes, hours, days or weeks")
    return Followed(
        first=values["first"],
        then=values["then"] if "then" in values else values["then_not"],
        within=values["within"],
        negated="then_not" in values,
        window=values["window"],
        pointer=place.pointer,
    )


def sequence_form(then: str, words: str) -> Form:
    """Return the form of a sequence whose other step has this name."""
    return Form(
        fields={
            "first": Field(_STEP, "What was done first, in the window."),
            then: Field(_STEP, words),
            "within": Field(LENGTH, "How long after the first."),
            "window": WINDOW,
        }
    )


def build_device(values: Values, place: Place) -> Node:
    """Return conditions on devices."""
    return Device(every=values["match"] == "every", where=values["where"], pointer=place.pointer)


DEVICE_FIELDS = {
    ("platform", "model", "locale", "permission"): operators.TEXTS,
    ("provider",): operators.PROVIDER,
    ("app_version", "os_version"): operators.VERSIONS,
    ("last_seen",): operators.DATES,
    ("registered",): operators.TIME,
}
ABOUT = "What it is about."
DEVICE_WHERE = listed(
    obj(
        [
            form
            for names, groups in DEVICE_FIELDS.items()
            for form in operators.forms(groups, {}, {"field": Choice(names, ABOUT)})
        ],
        _condition,
    ),
    WHERE_LIMIT,
    key=sort_key,
    least=0,
)
PERSON_FIELDS = {
    ("created",): operators.TIME,
    ("last_seen",): operators.DATES,
    ("external_id", "locale", "time_zone", "country"): operators.TEXTS,
    ("push_consent", "analytics_consent", "has_device"): operators.TRUTH,
}


def build_message(values: Values, place: Place) -> Node:
    """Return what became of messages."""
    return Message(**values, pointer=place.pointer)


def build_person(values: Values, place: Place) -> Node:
    """Return a comparison of what we know."""
    return Person(about=values["field"], test=_test(values), pointer=place.pointer)


POINT = obj(
    [
        Form(
            fields={
                "lat": Field(real(-90, 90), "Degrees north."),
                "lon": Field(real(-180, 180), "Degrees east."),
            }
        )
    ],
    lambda values, _: (values["lat"], values["lon"]),
)


def build_geo(values: Values, place: Place) -> Node:
    """Return a place, or countries."""
    if "countries" in values:
        return InCountry(countries=values["countries"], pointer=place.pointer)
    return Near(
        latitude=values["near"][0],
        longitude=values["near"][1],
        within_km=values["within_km"],
        latitude_path=values["latitude"],
        longitude_path=values["longitude"],
        pointer=place.pointer,
    )


def build_rfm(values: Values, place: Place) -> Any:
    """Return scores of a ranking, or say what is wrong with them."""
    quantiles, scores = values["quantiles"], values["scores"]
    if scores[-1] > quantiles:
        return place.at("scores").refuse("out_of_range", f"The highest score is {quantiles}.")
    ranking = Ranking(
        event=values["event"],
        measure=values["measure"],
        quantiles=quantiles,
        amount=values.get("property"),
        window=values["window"],
    )
    return Rfm(ranking=ranking, scores=scores, pointer=place.pointer)


def build_bucket(values: Values, place: Place) -> Any:
    """Return a range of parts, or say what is wrong with it."""
    if values["from"] > values["to"]:
        return place.at("to").refuse("out_of_range", "must not be smaller than `from`")
    return Bucket(
        salt=values["salt"], first=values["from"], last=values["to"], pointer=place.pointer
    )
