"""The part of Segments that stores, changes and deletes one, and leads on to a message."""

from typing import Any

import streamlit as st

from console import session
from console.errors import ApiRefusedError
from console.segment_answers import Segment
from console.session import Frame

_CHANGED = 412


def show_store(frame: Frame, segment: Segment | None, rule: dict[str, Any]) -> str | None:
    """Ask for a name and store the rule under it; return the id once that is done."""
    key = segment.id if segment else "new"
    name = st.text_input("Name", segment.name if segment else "", key=f"visit-name-{key}").strip()
    about = st.text_input(
        "What it is for", (segment.description or "") if segment else "", key=f"visit-about-{key}"
    ).strip()
    body = {"name": name, "description": about or None, "rule": rule}
    with st.container(horizontal=True):
        label = "Store the change" if segment else "Store"
        is_wanted = st.button(label, type="primary", disabled=not name)
        if segment:
            _lead_on(frame, segment)
    stored = None
    if is_wanted:
        with session.plain_words():
            stored = _store(frame, segment, body)
    return stored


def _store(frame: Frame, segment: Segment | None, body: dict[str, Any]) -> str | None:
    segments = frame.client.segments
    if segment is None:
        made = segments.create(body, session.once_for("segment", body))
        session.say("Stored. It can be used as an audience now.")
        return made.id
    try:
        changed = segments.change(segment.id, body, segment.tag)
    except ApiRefusedError as error:
        if error.status != _CHANGED:
            raise
        st.error("Somebody changed this segment meanwhile. Open it again, and change that.")
        return None
    session.say(f"Stored as version {changed.version}.")
    return changed.id


def _lead_on(frame: Frame, segment: Segment) -> None:
    st.page_link(
        frame.pages["compose"],
        label="Write to these people",
        icon=":material/edit_notifications:",
        query_params={"segment": segment.id},
    )


def show_watch(frame: Frame, segment: Segment) -> None:
    """Show whether it is told who enters and leaves, and change that."""
    client = frame.client.segments
    is_watched = client.is_watched(segment.id)
    wanted = st.toggle(
        "Tell who enters and leaves",
        is_watched,
        key=f"visit-watch-{segment.id}",
        help="As `segment.entered` and `segment.left` in the outbox, from the first comparison on.",
    )
    if wanted != is_watched:
        client.watch(segment.id, is_wanted=wanted)


def show_delete(frame: Frame, segment: Segment) -> bool:
    """Offer to delete the segment; tell whether it was."""
    with st.popover("Delete", icon=":material/delete:"):
        st.write("What is stored of it, with all its versions, is gone then. No person is.")
        if st.button("Delete this segment", type="primary"):
            with session.plain_words():
                frame.client.segments.delete(segment.id)
                session.say("It is deleted.")
                return True
    return False
