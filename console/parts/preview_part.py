"""The part of Compose that shows the message as one person would see it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from console import session
from console.answers import Shown
from console.lock_screens import lock_screens
from console.markdown import literal
from console.session import Frame

_NAMES = {"ios": "iOS", "android": "Android", "web": "Web"}


def show_preview(frame: Frame, content: Mapping[str, Any] | None) -> None:
    """Ask for whom, and show both lock screens, sizes, and what is wrong."""
    st.subheader("Preview")
    person = st.text_input(
        "As this person would see it",
        value=_somebody(frame),
        help="An external id. Without one, no attribute is filled in.",
    ).strip()
    if content is None:
        st.html(lock_screens({}, frame.app.name))
        return
    with session.plain_words():
        shown = frame.client.preview(content, person or None)
        st.html(
            lock_screens({name: one.notification for name, one in shown.items()}, frame.app.name)
        )
        _sizes(shown)
        for name, one in shown.items():
            _faults(name, one)


def _somebody(frame: Frame) -> str:
    """Return the first person of the app, looked up once in a session."""
    key = f"somebody-{frame.app.id}"
    if key not in st.session_state:
        with session.plain_words():
            found = frame.client.list_people(limit=1).data
            st.session_state[key] = found[0].external_id if found else ""
    known: str = st.session_state.get(key, "")
    return known


def _sizes(shown: Mapping[str, Shown]) -> None:
    parts = [
        f"{_NAMES[name]} by {size['gateway'].upper()} {size['bytes']:,} of {size['limit_bytes']:,}"
        for name, one in shown.items()
        for size in one.sizes
    ]
    if parts:
        st.caption(f"Bytes: {' · '.join(parts)}")


def _faults(name: str, one: Shown) -> None:
    if one.skipped is not None:
        st.warning(f"{_NAMES[name]}: the template skips this person. {literal(one.skipped)}")
    for fault in one.errors:
        place = fault["pointer"].removeprefix("/content/").replace("/", " ")
        st.error(f"{_NAMES[name]}, {literal(place)}: {literal(fault['message'])}")
