"""The part of Compose that counts, asks once more, and sends exactly once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from console import session
from console.answers import Count, Forecast
from console.errors import ApiError
from console.known import sift
from console.markdown import literal
from console.session import Frame
from console.words import REASONS, takes

_REVIEW = f"{session.VISIT}review"
_SENT = f"{session.VISIT}sent"
_NAMED = 20
_WHO = {"all": "everybody", "people": "those named", "segment": "the segment"}


@dataclass(frozen=True, slots=True)
class _Review:
    """A message that was counted; `once` makes a second press of the button harmless.

    `asked` is what was composed, `body` the same without the people nobody knows, `unknown`.
    """

    app_id: str
    asked: Mapping[str, Any]
    body: Mapping[str, Any]
    count: Count
    once: str
    forecast: Forecast | None = None
    unknown: Sequence[str] = ()
    is_agreed: bool = True


def show_send(frame: Frame, body: Mapping[str, Any] | None) -> None:
    """Show the way from a composed message to a sent one; it has two steps."""
    if body is None:
        st.caption("Name who shall get it and write a title, a body or data to go on.")
        return
    review: _Review | None = st.session_state.get(_REVIEW)
    if review is None or (review.app_id, review.asked) != (frame.app.id, body):
        if not st.button("Review", type="primary"):
            return
        _count(frame, body)
    elif review.is_agreed:
        _confirm(frame, review)
    else:
        _ask_to_leave_out(review)


def _count(frame: Frame, body: Mapping[str, Any]) -> None:
    with session.plain_words(), st.spinner("Counting ..."):
        if "people" not in body["to"]:
            count = frame.client.count(body)
            review = _Review(frame.app.id, body, body, count, session.fresh_once())
            _keep(replace(review, forecast=_forecast(frame, body)))
        sifted = sift(frame.client, body)
        if sifted.count is None:
            st.error(f"This app knows none of them: {_named(sifted.unknown)}.")
            return
        known = {**body, "to": {"people": sifted.known}}
        once, unknown = session.fresh_once(), sifted.unknown
        review = _Review(frame.app.id, body, known, sifted.count, once, unknown=unknown)
        _keep(replace(review, forecast=_forecast(frame, known), is_agreed=not unknown))


def _forecast(frame: Frame, body: Mapping[str, Any]) -> Forecast | None:
    # It is good to know, and no reason not to send.
    try:
        return frame.client.forecast(body)
    except ApiError:
        return None


def _keep(review: _Review) -> None:
    st.session_state[_REVIEW] = review
    st.rerun()


def _named(people: Sequence[str]) -> str:
    more = f" and {len(people) - _NAMED:,} more" if len(people) > _NAMED else ""
    return literal(", ".join(people[:_NAMED])) + more


def _ask_to_leave_out(review: _Review) -> None:
    number, known = len(review.unknown), len(review.body["to"]["people"])
    st.error(f"This app does not know {number:,} of {number + known:,}: {_named(review.unknown)}.")
    with st.container(horizontal=True):
        if st.button(f"Leave out {number:,}", type="primary"):
            _keep(replace(review, is_agreed=True))
        _back()


def _confirm(frame: Frame, review: _Review) -> None:
    count = review.count
    who = next((words for kind, words in _WHO.items() if kind in review.body["to"]), "")
    if "exclude" in review.body:
        who += " but those left out"
    when = f" at {literal(review.body['send_at'])}" if "send_at" in review.body else " now"
    lines = [f"**This goes to {who}{when}: {count.recipients:,} recipients.**"]
    if review.unknown:
        lines.append(f"{len(review.unknown):,} whom the app does not know are left out.\n")
    if count.suppressed:
        lines.append(f"It can be sent to {count.sendable:,} of them. Of the others:")
        lines += [
            f"* {number:,}: {literal(REASONS.get(reason, reason))}"
            for reason, number in count.suppressed.items()
        ]
    st.warning("\n".join([lines[0], "", *lines[1:]]))
    if review.forecast:
        late = " **That is longer than it lives.**" if not review.forecast.first_pass_at else ""
        st.caption(takes(review.forecast.seconds, review.forecast.limited_by) + late)
        for words in review.forecast.held:
            st.warning(f"Some would have to wait: {literal(words)}")
    with st.container(horizontal=True):
        sent = st.button(f"Send to {count.recipients:,} recipients", type="primary")
        _back()
    if sent:
        with session.plain_words():
            message = frame.client.send(review.body, review.once)
            st.session_state[_SENT] = message.id
            st.rerun()


def _back() -> None:
    if st.button("Back to writing"):
        del st.session_state[_REVIEW]
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
