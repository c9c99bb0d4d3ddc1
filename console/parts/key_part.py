"""The part of Apps that makes keys."""

import streamlit as st

from console import session
from console.session import Frame

_KINDS = {"server": "For a server of yours", "client": "For the app on the phones (public)"}
_SCOPES = (
    "messages:send",
    "messages:read",
    "devices:write",
    "people:read",
    "people:write",
    "events:write",
    "segments:write",
    "stats:read",
)


def ask_key(frame: Frame) -> None:
    """Show the form, and the secret of a key just made, this once."""
    st.subheader("Make one")
    kind = st.radio("For", list(_KINDS), format_func=lambda one: _KINDS[one], horizontal=True)
    with st.form("key_form"):
        name = st.text_input("Name of the key", max_chars=200)
        scopes = st.multiselect("It may", _SCOPES, default=_SCOPES[:2]) if kind == "server" else []
        wanted = st.form_submit_button("Make the key", type="primary")
    if not wanted:
        return
    if not name.strip():
        st.error("Give the key a name, so that you know it again.")
        return
    with session.plain_words():
        body = {"kind": kind, "name": name.strip(), "scopes": scopes}
        made = frame.client.add_key(frame.app.id, body, session.once_for("key", body))
        st.success("Copy the key now: it is not shown again.")
        st.code(made.secret, language=None)
