"""The part of Segments that builds a rule: groups inside of groups, with conditions in them."""

import streamlit as st

from console.parts.leaf_part import Known, show_leaf
from console.parts.value_part import Spot
from console.rules import choices
from console.rules.draft import Draft, fresh, remove

_WHOLE = "the rule"
_ADDED = {**choices.LEAVES, choices.ANY: "A group of conditions"}


def show_rule(root: Draft, known: Known) -> None:
    """Show the rule, and write what is chosen into it."""
    _group(root, Spot(root, ""), known, root)


def _group(root: Draft, spot: Spot, known: Known, draft: Draft) -> None:
    named = spot.number or _WHOLE
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            if spot.number:
                st.caption(spot.number, width="content")
            kinds = list(choices.GROUPS)
            draft.kind = st.selectbox(
                f"Group {named}",
                kinds,
                index=kinds.index(draft.kind),
                format_func=lambda one: choices.GROUPS[one],
                key=spot.key("group"),
                label_visibility="collapsed",
                width=280,
            )
            if spot.number:
                _remove(root, spot)
        for number, one in enumerate(draft.inside, start=1):
            inner = Spot(one, f"{spot.number}.{number}".lstrip("."))
            if one.is_group:
                _group(root, inner, known, one)
            else:
                _condition(root, inner, known)
        _add(spot, draft, named)


def _condition(root: Draft, spot: Spot, known: Known) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{spot.number} {choices.LEAVES[spot.draft.kind]}", width="content")
        show_leaf(spot, known)
        _remove(root, spot)


def _remove(root: Draft, spot: Spot) -> None:
    st.button(
        f"Remove {spot.number}",
        icon=":material/close:",
        key=spot.key("remove"),
        on_click=remove,
        args=(root, spot.draft.serial),
        type="tertiary",
    )


def _add(spot: Spot, draft: Draft, named: str) -> None:
    key = spot.key("add")

    def add() -> None:
        kind = st.session_state[key]
        if kind:
            draft.inside.append(fresh(kind))
        st.session_state[key] = None

    st.selectbox(
        f"Add to {named}",
        list(_ADDED),
        index=None,
        format_func=lambda one: _ADDED[one],
        key=key,
        on_change=add,
        placeholder="Add …",
        label_visibility="collapsed",
        width=280,
    )
