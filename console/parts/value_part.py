"""The part of the rule builder that asks for one comparison: its operator and its value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from console.rules import choices
from console.rules.draft import Draft
from console.rules.values import kind_of, number_or, pair_of, text_of, texts_of, typed, whole

_MOMENT_HELP = "A day such as 2026-03-01, a moment, or words such as: 30 days ago, now, in 2 weeks."
# What is known is offered, and anything else can be written.
_OPEN: Mapping[str, Any] = {"is_empty_first": True, "accept_new_options": True}
_KINDS = {choices.TEXT: "text", choices.NUMBER: "number", choices.TRUTH: "true or false"}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a comparison stands: the draft it belongs to, and how people call it.

    `about` is what is compared. For something else there are other widgets, so that nothing is
    left in them of what was chosen before.
    """

    draft: Draft
    number: str
    about: str = ""

    def key(self, what: str) -> str:
        """Return the key of a widget; it belongs to the visit of this page."""
        return f"visit-rule-{self.draft.serial}-{self.about}-{what}"

    def label(self, what: str) -> str:
        """Return the label of a widget, told apart from those of other conditions."""
        return f"{what} of {self.number}"


def choose(
    spot: Spot,
    what: str,
    options: Sequence[str],
    chosen: str | None,
    *,
    is_empty_first: bool = False,
    **more: Any,
) -> str:
    """Return what is chosen; what was chosen before stays, even if it is not among the options.

    Before anything is chosen it is the first, or empty if `is_empty_first`.
    """
    known = [*options, chosen] if chosen and chosen not in options else list(options)
    first = None if is_empty_first or not known else 0
    found = st.selectbox(
        spot.label(what),
        known,
        index=known.index(chosen) if chosen in known else first,
        key=spot.key(what),
        label_visibility="collapsed",
        **more,
    )
    return str(found or "")


def chosen_about(draft: Draft, field: str, about: str) -> None:
    """Write what a comparison is about; if that is something else, its value is no more."""
    if draft.fields.get(field, about) != about:
        draft.fields.pop("value", None)
    draft.fields[field] = about


def ask_comparison(
    spot: Spot, offered: Mapping[str, str], known: Sequence[Any] = (), kind: str | None = None
) -> None:
    """Ask for the operator and the value, and write them into the fields of the draft.

    `known` are values to choose from; `kind` is of which type they mostly are.
    """
    fields = spot.draft.fields
    about = (fields.get(name) for name in ("field", "name", "measure"))
    spot = replace(spot, about=" ".join(filter(None, about)))
    operator = fields.get("operator") if fields.get("operator") in offered else None
    fields["operator"] = choose(spot, "Operator", list(offered), operator, width=150)
    ask = offered.get(fields["operator"], choices.SCALAR)
    if ask == choices.NOTHING:
        fields.pop("value", None)
        return
    asked: Mapping[str, Callable[[], Any]] = {
        choices.TEXT: lambda: _text(spot, known),
        choices.NUMBER: lambda: _number(spot, "Value", fields.get("value"), 1.0),
        choices.TRUTH: lambda: _truth(spot),
        choices.MOMENT: lambda: _moment(spot, "Value", fields.get("value"), "30 days ago"),
        choices.SCALAR: lambda: _scalar(spot, known, kind),
        choices.SCALARS: lambda: _several(spot, known, _as(spot, kind)),
        choices.TEXTS: lambda: _several(spot, known, choices.TEXT),
        choices.NUMBERS: lambda: _pair(spot, choices.NUMBER),
        choices.MOMENTS: lambda: _pair(spot, choices.MOMENT),
        choices.VERSIONS: lambda: _pair(spot, choices.TEXT),
        choices.PAIR: lambda: _pair(spot, _pair_kind(spot, kind)),
    }
    fields["value"] = asked[ask]()


def _text(spot: Spot, known: Sequence[Any]) -> str:
    value = spot.draft.fields.get("value")
    options = [one for one in known if isinstance(one, str) and one]
    if not options:
        return st.text_input(
            spot.label("Value"),
            text_of(value),
            key=spot.key("text"),
            label_visibility="collapsed",
            width=180,
        )
    chosen = value if isinstance(value, str) else None
    return choose(spot, "Value", options, chosen, **_OPEN, width=180)


def _number(spot: Spot, what: str, value: Any, other: float) -> float:
    found = st.number_input(
        spot.label(what),
        value=number_or(value, other),
        key=spot.key(f"{what} number"),
        format="%g",
        label_visibility="collapsed",
        width=150,
    )
    return whole(found)


def _truth(spot: Spot) -> bool:
    is_false = spot.draft.fields.get("value") is False
    found = st.selectbox(
        spot.label("Value"),
        ["true", "false"],
        index=int(is_false),
        key=spot.key("truth"),
        label_visibility="collapsed",
        width=120,
    )
    return found == "true"


def _moment(spot: Spot, what: str, value: Any, other: str) -> str:
    return st.text_input(
        spot.label(what),
        text_of(value) or other,
        key=spot.key(f"{what} moment"),
        help=_MOMENT_HELP,
        label_visibility="collapsed",
        width=180,
    ).strip()


def _as(spot: Spot, kind: str | None) -> str:
    value = spot.draft.fields.get("value")
    first = value[0] if isinstance(value, list) and value else value
    present = kind_of(first) or {"number": choices.NUMBER, "boolean": choices.TRUTH}.get(kind or "")
    kinds = list(_KINDS)
    found = st.selectbox(
        spot.label("Type"),
        kinds,
        index=kinds.index(present or choices.TEXT),
        format_func=lambda one: _KINDS[one],
        key=spot.key("as"),
        label_visibility="collapsed",
        width=130,
    )
    return str(found)


def _scalar(spot: Spot, known: Sequence[Any], kind: str | None) -> Any:
    wanted = _as(spot, kind)
    if wanted == choices.NUMBER:
        return _number(spot, "Value", spot.draft.fields.get("value"), 0.0)
    return _truth(spot) if wanted == choices.TRUTH else _text(spot, known)


def _several(spot: Spot, known: Sequence[Any], kind: str) -> list[Any]:
    present = texts_of(spot.draft.fields.get("value"))
    options = dict.fromkeys([*present, *(text_of(one) for one in known)])
    found = st.multiselect(
        spot.label("Values"),
        [one for one in options if one],
        default=present,
        key=spot.key("several"),
        accept_new_options=True,
        placeholder="Choose, or write",
        label_visibility="collapsed",
        width=260,
    )
    return [typed(one, kind) for one in found]


def _pair_kind(spot: Spot, kind: str | None) -> str:
    first, _ = pair_of(spot.draft.fields.get("value"))
    is_moment = isinstance(first, str) or (first is None and kind == "time")
    found = st.selectbox(
        spot.label("Type"),
        [choices.NUMBER, choices.MOMENT],
        index=int(is_moment),
        key=spot.key("pair"),
        label_visibility="collapsed",
        width=130,
    )
    return str(found)


def _pair(spot: Spot, kind: str) -> list[Any]:
    first, last = pair_of(spot.draft.fields.get("value"))
    if kind == choices.NUMBER:
        return [_number(spot, "From", first, 0.0), _number(spot, "To", last, 100.0)]
    if kind == choices.MOMENT:
        today = datetime.now(UTC).date().isoformat()
        start = first if isinstance(first, str) else "30 days ago"
        return [_moment(spot, "From", start, "30 days ago"), _moment(spot, "To", last, today)]
    return [
        st.text_input(
            spot.label(what),
            text_of(value),
            key=spot.key(f"{what} text"),
            label_visibility="collapsed",
            width=120,
        )
        for what, value in (("From", first), ("To", last))
    ]
