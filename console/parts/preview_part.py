"""The part of Compose that shows the message as one person would see it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console import session
from console.answers import Shown
from console.errors import ApiRefusedError
from console.lock_screens import lock_screens
from console.markdown import literal
from console.session import Frame

_SOMEBODY = "somebody"
# A list may begin with people nobody knows; not all of them are tried.
_TRIED = 3
_NAMES = {"ios": "iOS", "android": "Android", "web": "Web"}


def show_preview(
    frame: Frame, content: Mapping[str, Any] | None, to: Mapping[str, Any] | None
) -> None:
    """Ask for whom, one of `to` at first, and show both lock screens, sizes, what is wrong."""
    st.subheader("Preview")
    person = st.text_input(
        "As this person would see it",
        value=_somebody(frame, (to or {}).get("people", ())),
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


def _somebody(frame: Frame, people: Sequence[str]) -> str:
    """Return the first of `people` the app knows, else of the app; looked up once for a list."""
    asked = (frame.app.id, *people[:_TRIED])
    found: tuple[tuple[str, ...], str] = st.session_state.get(_SOMEBODY, ((), ""))
    if found[0] != asked:
        with session.plain_words():
            found = (asked, _first_known(frame, people[:_TRIED]) or _first_of_all(frame))
            st.session_state[_SOMEBODY] = found
    return found[1]


def _first_known(frame: Frame, people: Sequence[str]) -> str:
    for name in people:
        try:
            return frame.client.read_person(name).external_id
        except ApiRefusedError as error:
            if error.status != 404:
                raise
    return ""


def _first_of_all(frame: Frame) -> str:
    found = frame.client.list_people(limit=1).data
    return found[0].external_id if found else ""


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
