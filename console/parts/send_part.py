"""The part of Compose that counts, asks once more, and sends exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from console import session
from console.answers import Count
from console.markdown import literal
from console.session import Frame
from console.words import REASONS

_REVIEW = f"{session.VISIT}review"
_SENT = f"{session.VISIT}sent"


@dataclass(frozen=True, slots=True)
class _Review:
    """A message that was counted; `once` makes a second press of the button harmless."""

    app_id: str
    body: Mapping[str, Any]
    count: Count
    once: str


def show_send(frame: Frame, body: Mapping[str, Any] | None) -> None:
    """Show the way from a composed message to a sent one; it has two steps."""
    if body is None:
        st.caption("Name who shall get it and write a title, a body or data to go on.")
        return
    review: _Review | None = st.session_state.get(_REVIEW)
    if review is None or (review.app_id, review.body) != (frame.app.id, body):
        if not st.button("Review", type="primary"):
            return
        _count(frame, body)
    else:
        _confirm(frame, review)


def _count(frame: Frame, body: Mapping[str, Any]) -> None:
    with session.plain_words(), st.spinner("Counting ..."):
        count = frame.client.count(body["to"])
        st.session_state[_REVIEW] = _Review(frame.app.id, body, count, session.fresh_once())
        st.rerun()


def _confirm(frame: Frame, review: _Review) -> None:
    count = review.count
    who = "everybody" if "all" in review.body["to"] else "those named"
    when = f" at {literal(review.body['send_at'])}" if "send_at" in review.body else " now"
    lines = [f"**This goes to {who}{when}: {count.recipients:,} recipients.**"]
    if count.suppressed:
        lines.append(f"It can be sent to {count.sendable:,} of them. Of the others:")
        lines += [
            f"* {number:,}: {REASONS.get(reason, reason)}"
            for reason, number in count.suppressed.items()
        ]
    st.warning("\n".join([lines[0], "", *lines[1:]]))
    with st.container(horizontal=True):
        sent = st.button(f"Send to {count.recipients:,} recipients", type="primary")
        if st.button("Back to writing"):
            del st.session_state[_REVIEW]
            st.rerun()
    if sent:
        with session.plain_words():
            message = frame.client.send(review.body, review.once)
            st.session_state[_SENT] = message.id
            st.rerun()


def show_sent(frame: Frame) -> bool:
    """Show what has just been sent, with the way to it; tell whether there is anything."""
    message_id = st.session_state.get(_SENT)
    if message_id is None:
        return False
    st.success("It is on its way.")
    label = "Watch how it goes"
    st.page_link(frame.pages["message"], label=label, query_params={"id": message_id})
    if st.button("Write another"):
        del st.session_state[_SENT]
        st.session_state.pop(_REVIEW, None)
        st.rerun()
    return True
