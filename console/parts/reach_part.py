"""The part of Segments that says whom a rule means: counted anew whenever it changes."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import streamlit as st

from console import session
from console.errors import ApiRefusedError, Fault
from console.frames import people_table, waterfall_table
from console.markdown import literal
from console.parts.table import show_table
from console.rules.draft import Draft, place_of
from console.segment_answers import Finding, Reach
from console.session import Frame

_COUNTED, _SAMPLED = f"{session.VISIT}counted", f"{session.VISIT}sampled"
_PLATFORMS = {"android": "Android", "ios": "iOS", "web": "Web"}
_T = TypeVar("_T")
Rule = Mapping[str, Any]


def show_reach(frame: Frame, root: Draft, rule: Rule) -> None:
    """Show how many the rule means and reaches, what is wrong with it, and some of them."""
    try:
        with st.spinner("Counting …"):
            reach = _once(_COUNTED, frame, rule, lambda: frame.client.segments.count(rule))
    except ApiRefusedError as error:
        if not error.fields:
            raise
        st.warning("The rule is not finished.")
        for fault in error.fields:
            st.markdown(f"* {literal(_told(root, fault))}")
        return
    _numbers(reach)
    for fault in reach.warnings:
        st.info(literal(_told(root, fault)))
    _sample(frame, rule)
    _explain(frame, rule)


def _once(key: str, frame: Frame, rule: Rule, ask: Callable[[], _T]) -> _T:
    """Return what was answered to this rule, and ask only if it is another than before."""
    asked = (frame.app.id, json.dumps(rule, sort_keys=True))
    known: tuple[tuple[str, str], _T] | None = st.session_state.get(key)
    if known is None or known[0] != asked:
        known = (asked, ask())
        st.session_state[key] = known
    return known[1]


def _told(root: Draft, fault: Fault) -> str:
    number, rest = place_of(root, fault.pointer)
    place = " ".join(filter(None, (number, rest)))
    return f"{place or 'The rule'}: {fault.message}"


def _numbers(reach: Reach) -> None:
    with st.container(horizontal=True):
        st.metric("People", f"{reach.people:,}")
        if reach.deliverable is not None:
            st.metric("Can be reached", f"{reach.deliverable:,}")
    show_table(waterfall_table(reach.steps))
    parts = [
        f"{_PLATFORMS.get(name, name)} {one['people']:,} people, {one['devices']:,} devices"
        for name, one in reach.platforms.items()
    ]
    st.caption(" · ".join(parts))
    if st.button("Count again", icon=":material/refresh:", type="tertiary"):
        for key in (_COUNTED, _SAMPLED):
            st.session_state.pop(key, None)
        st.rerun()


def _sample(frame: Frame, rule: Rule) -> None:
    with st.expander("Some of them, by chance"):
        if not st.toggle("Show people"):
            return
        with session.plain_words():
            people = _once(_SAMPLED, frame, rule, lambda: frame.client.segments.sample(rule))
            if not people:
                st.caption("Nobody yet.")
                return
            show_table(people_table(people))


def _explain(frame: Frame, rule: Rule) -> None:
    with st.expander("Why is somebody meant, or not?"):
        person = st.text_input("External id of the person").strip()
        if not person:
            return
        with session.plain_words():
            found = frame.client.segments.explain(rule, person)
            who = literal(person)
            st.markdown(f"**{who} is {'in it' if found.holds else 'not in it'}.**")
            st.markdown("\n".join(_lines(found, 0)))


def _lines(found: Finding, depth: int) -> list[str]:
    mark = "✓" if found.holds else "✗"
    lines = [f"{'  ' * depth}* {mark} {literal(found.words)}"]
    for one in found.inside:
        lines += _lines(one, depth + 1)
    return lines
