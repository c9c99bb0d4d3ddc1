"""Segments: build a rule, see at once whom it means and reaches, and store it."""

import json
from typing import Any

import streamlit as st

from console import session
from console.parts.leaf_part import Known, known_to
from console.parts.reach_part import show_reach
from console.parts.rule_part import show_rule
from console.parts.segment_part import show_delete, show_store, show_watch
from console.rules import choices
from console.rules.draft import Draft, UnreadableRuleError, fresh, read_rule, read_text, to_rule
from console.segment_answers import Segment
from console.session import Frame

_DRAFT, _KNOWN = f"{session.VISIT}draft", f"{session.VISIT}known"
_CHOSEN, _NEW = "visit-segment", ""


def show(frame: Frame) -> None:
    """Show the page."""
    st.title("Segments")
    with session.plain_words():
        known = _known(frame)
        segment, root = _chosen(frame, known)
        form, answer = st.columns([3, 2], gap="large")
        with form:
            show_rule(root, known)
            _as_text(root)
        try:
            rule = to_rule(root)
        except UnreadableRuleError as error:
            st.error(str(error))
            return
        with form:
            stored = show_store(frame, segment, rule)
            if segment:
                show_watch(frame, segment)
            is_deleted = segment is not None and show_delete(frame, segment)
        if stored or is_deleted:
            _open_again(stored or _NEW)
        with answer, session.plain_words():
            show_reach(frame, root, rule)


def _known(frame: Frame) -> Known:
    found: tuple[str, Known] | None = st.session_state.get(_KNOWN)
    if found is None or found[0] != frame.app.id:
        found = (frame.app.id, known_to(frame.client.segments))
        st.session_state[_KNOWN] = found
    return found[1]


def _chosen(frame: Frame, known: Known) -> tuple[Segment | None, Draft]:
    names = {one.id: one.name for one in known.segments}
    wanted = st.session_state.pop(f"{session.VISIT}next", st.query_params.get("id", _NEW))
    ids = [_NEW, *names]
    chosen = st.selectbox(
        "Segment",
        ids,
        index=ids.index(wanted) if wanted in ids else 0,
        format_func=lambda one: names.get(one, "A new one"),
        key=_CHOSEN,
    )
    asked = (frame.app.id, chosen)
    found: tuple[Any, Segment | None, Draft] | None = st.session_state.get(_DRAFT)
    if found is None or found[0] != asked:
        segment = frame.client.segments.read(chosen) if chosen else None
        found = (asked, segment, read_rule(segment.rule) if segment else fresh(choices.ALL))
        st.session_state[_DRAFT] = found
    return found[1], found[2]


def _as_text(root: Draft) -> None:
    with st.expander("The rule as JSON"):
        try:
            st.code(json.dumps(to_rule(root), indent=2, ensure_ascii=False), language="json")
        except UnreadableRuleError as error:
            st.caption(str(error))
        text = st.text_area("Another rule, to take its place", key="visit-rule-text")
        if st.button("Take it") and text.strip():
            try:
                read = read_text(text)
            except UnreadableRuleError as error:
                st.error(str(error))
                return
            asked, segment, _ = st.session_state[_DRAFT]
            st.session_state[_DRAFT] = (asked, segment, read)
            st.rerun()


def _open_again(segment_id: str) -> None:
    for key in (_DRAFT, _KNOWN, _CHOSEN):
        st.session_state.pop(key, None)
    st.session_state[f"{session.VISIT}next"] = segment_id
    st.rerun()
