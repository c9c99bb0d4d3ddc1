"""The part of the rule builder that asks for one condition, whatever it is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from console.parts.value_part import Spot, ask_comparison, choose, chosen_about
from console.rules import choices
from console.rules.draft import fresh, path_of, remove
from console.rules.values import length_of
from console.segment_answers import Attribute, Segment, StaticList
from console.segment_client import SegmentClient

_EVER, _LAST = "ever", "in the last"
_ANY_MEASURE = tuple(choices.MEASURES)


@dataclass(frozen=True, slots=True)
class Known:
    """What an app has that rules may name: attributes by their path, events, lists, segments."""

    attributes: Mapping[str, Attribute]
    events: Sequence[str]
    lists: Sequence[StaticList]
    segments: Sequence[Segment]


def known_to(client: SegmentClient) -> Known:
    """Return what there is to choose from. Raises `ApiError`."""
    return Known(
        {path_of(one.name): one for one in client.list_attributes().data},
        client.list_event_names(),
        client.list_lists().data,
        client.list_segments(),
    )


def show_leaf(spot: Spot, known: Known) -> None:
    """Show a condition, and write what is chosen into its draft."""
    asked: Mapping[str, Callable[[], None]] = {
        choices.ATTRIBUTE: lambda: _attribute(spot, known),
        choices.EVENT: lambda: _event(spot, known),
        choices.DEVICE: lambda: _device(spot),
        choices.PERSON: lambda: _field(spot, choices.PERSON_FIELDS),
        choices.MESSAGE: lambda: _message(spot),
        choices.LIST: lambda: _named(spot, "list", known.lists),
        choices.SEGMENT: lambda: _named(spot, "segment", known.segments),
        choices.OTHER: lambda: _json(spot),
    }
    asked[spot.draft.kind]()


def _attribute(spot: Spot, known: Known) -> None:
    fields = spot.draft.fields
    names = list(known.attributes)
    name = choose(
        spot,
        "Attribute",
        names,
        fields.get("name"),
        is_empty_first=True,
        accept_new_options=True,
        placeholder="Attribute",
        width=200,
    )
    chosen_about(spot.draft, "name", name)
    one = known.attributes.get(fields["name"])
    kind, examples = (one.type, one.examples) if one else (None, ())
    ask_comparison(spot, choices.operators_of(kind, recurs=True), examples, kind)


def _field(spot: Spot, offered: Mapping[str, Mapping[str, str]]) -> None:
    fields = spot.draft.fields
    field = choose(spot, "Field", list(offered), fields.get("field"), width=170)
    chosen_about(spot.draft, "field", field)
    operators = offered.get(fields["field"], {})
    ask_comparison(spot, operators, choices.KNOWN_VALUES.get(fields["field"], ()))


def _event(spot: Spot, known: Known) -> None:
    fields = spot.draft.fields
    fields["name"] = choose(
        spot,
        "Event",
        known.events,
        fields.get("name"),
        is_empty_first=True,
        accept_new_options=True,
        placeholder="Event",
        width=200,
    )
    measure = choose(
        spot, "Measure", _ANY_MEASURE, fields.get("measure", _ANY_MEASURE[0]), width=120
    )
    chosen_about(spot.draft, "measure", measure)
    if measure in {"sum", "min", "max", "avg"}:
        fields["property"] = _word(spot, "Property", fields.get("property"), "amount")
    else:
        fields.pop("property", None)
    ask_comparison(spot, choices.MEASURES.get(measure, choices.MEASURES["count"]))
    _window(spot)
    _where(spot, _property)


def _property(spot: Spot) -> None:
    fields = spot.draft.fields
    fields["name"] = _word(spot, "Property", fields.get("name"), "currency")
    ask_comparison(spot, choices.operators_of(None, recurs=False))


def _device(spot: Spot) -> None:
    fields = spot.draft.fields
    fields["match"] = choose(spot, "Which", ["any", "every"], fields.get("match"), width=110)
    st.caption("device" if fields["match"] == "every" else "of the devices", width="content")
    _where(spot, lambda one: _field(one, choices.DEVICE_FIELDS))


def _message(spot: Spot) -> None:
    fields = spot.draft.fields
    milestones = ["accepted", "sent", "confirmed", "opened", "converted"]
    chosen = fields.get("milestone")
    fields["milestone"] = choose(spot, "Milestone", milestones, chosen, width=140)
    st.caption("any message", width="content")
    _window(spot)


def _named(spot: Spot, what: str, known: Sequence[Segment] | Sequence[StaticList]) -> None:
    names = {one.id: one.name for one in known}
    chosen = spot.draft.fields.get(what)
    if not names and not chosen:
        st.caption(f"There is no {what} yet.")
    spot.draft.fields[what] = choose(
        spot,
        what.capitalize(),
        list(names),
        chosen,
        is_empty_first=True,
        format_func=lambda one: names.get(one, one),
        placeholder=f"Which {what}",
        width=260,
    )


def _json(spot: Spot) -> None:
    spot.draft.fields["text"] = st.text_area(
        spot.label("JSON"),
        spot.draft.fields["text"],
        key=spot.key("json"),
        height="content",
        label_visibility="collapsed",
    )


def _word(spot: Spot, what: str, value: Any, example: str) -> str:
    return st.text_input(
        spot.label(what),
        value if isinstance(value, str) else "",
        key=spot.key(f"{what} word"),
        placeholder=f"{what}, such as {example}",
        label_visibility="collapsed",
        width=200,
    ).strip()


def _window(spot: Spot) -> None:
    fields = spot.draft.fields
    given = fields.get("window")
    length = length_of(given)
    if given is not None and length is None:
        st.caption("in a window of its own", width="content")  # Between moments: it stays as it is.
        return
    when = choose(spot, "When", [_EVER, _LAST], _LAST if length else _EVER, width=130)
    if when == _EVER:
        fields.pop("window", None)
        return
    number, unit = length or (30, "days")
    number = st.number_input(
        spot.label("Length"),
        min_value=1,
        max_value=100_000,
        value=number,
        key=spot.key("length"),
        label_visibility="collapsed",
        width=110,
    )
    unit = choose(spot, "Unit", choices.UNITS, unit, width=110)
    fields["window"] = {"last": f"{number} {unit}"}


def _where(spot: Spot, show: Callable[[Spot], None]) -> None:
    draft = spot.draft
    for number, one in enumerate(draft.inside, start=1):
        inner = Spot(one, f"{spot.number} ({number})")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("where", width="content")
            show(inner)
            st.button(
                f"Remove {inner.number}",
                icon=":material/close:",
                key=inner.key("remove"),
                on_click=remove,
                args=(draft, one.serial),
                type="tertiary",
            )
    st.button(
        f"Add a condition to {spot.number}",
        icon=":material/add:",
        key=spot.key("where"),
        on_click=lambda: draft.inside.append(fresh(choices.CONDITION)),
        type="tertiary",
    )
