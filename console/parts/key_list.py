"""The part of Apps that lists keys, and rotates and revokes them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from console import session
from console.answers import Key
from console.errors import ApiError, in_words
from console.frames import key_table
from console.markdown import literal
from console.parts.table import show_table
from console.session import Frame

_OVERLAPS: Mapping[str, int] = MappingProxyType(
    {"1 hour": 3_600, "1 day": 86_400, "7 days": 7 * 86_400, "30 days": 30 * 86_400, "no time": 0}
)
_MADE = f"{session.VISIT}rotated"


def show_keys(frame: Frame) -> None:
    """Show the keys, and what can be done to one of them; each thing asks once more."""
    with session.plain_words():
        found = frame.client.list_keys(frame.app.id).data
        show_table(key_table(found))
        _show_successor()
        _ask_change(frame, found)


def _show_successor() -> None:
    secret = st.session_state.pop(_MADE, None)
    if secret:
        st.success("Copy the successor now: it is not shown again.")
        st.code(secret, language=None)


def _ask_change(frame: Frame, found: Sequence[Key]) -> None:
    names = {one.id: f"{one.name} ({one.hint} …)" for one in found}
    if not names:
        return
    chosen = st.selectbox("Change a key", list(names), format_func=lambda one: names[one])
    key = next(one for one in found if one.id == chosen)
    is_own = session.holds(key.hint)
    with st.container(horizontal=True):
        with st.popover("Rotate"):
            st.write(f"A successor of **{literal(key.name)}** may do the same.")
            overlap = st.selectbox("The old one stays good for", list(_OVERLAPS))
            if is_own:
                st.warning("You are signed in with this key: sign in again with its successor.")
            args = (frame, key.id, _OVERLAPS[overlap])
            st.button("Rotate this key", on_click=_rotate, args=args, type="primary")
        with st.popover("Revoke"):
            st.write(f"Whoever uses **{literal(key.name)}** is refused from now on.")
            if is_own:
                st.warning("You are signed in with this key: you would lose your way in.")
            st.button("Revoke this key", on_click=_revoke, args=(frame, key.id), type="primary")


def _rotate(frame: Frame, key_id: str, overlap_seconds: int) -> None:
    once = session.once_for("rotate", {"key": key_id, "overlap": overlap_seconds})
    try:
        made = frame.client.rotate_key(frame.app.id, key_id, overlap_seconds, once)
    except ApiError as error:
        session.say(literal(in_words(error)))
        return
    st.session_state[_MADE] = made.secret


def _revoke(frame: Frame, key_id: str) -> None:
    try:
        frame.client.revoke_key(frame.app.id, key_id)
    except ApiError as error:
        session.say(literal(in_words(error)))
        return
    session.say("The key is dead.")
