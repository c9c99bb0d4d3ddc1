"""The part of Apps that sends one push and says what became of it."""

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from console import session
from console.frames import delivery_table
from console.parts.progress import is_over, show_progress
from console.parts.table import show_table
from console.session import Frame

_TO: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "A person": ("people", "External id"),
        "A device": ("devices", "Device id"),
        "A token": ("tokens", "Token"),
    }
)
_EVERY_SECONDS = 1
_SENT = f"{session.VISIT}test"


def show_test_send(frame: Frame) -> None:
    """Show the form, and what became of the last test."""
    st.caption("A test is marked as such and left out of the statistics.")
    kind = st.radio("Test with", list(_TO), horizontal=True)
    field, label = _TO[kind]
    with st.form("test_form"):
        whom = st.text_input(label).strip()
        title = st.text_input("Title of the test", value="Hello from Carillon")
        text = st.text_input("Text of the test", value="It works.")
        wanted = st.form_submit_button("Send the test", type="primary")
    if wanted and not whom:
        st.error("Name who shall get it.")
    elif wanted:
        with session.plain_words():
            content = {"title": title, "body": text}
            body = {"to": {field: [whom]}, "content": content, "is_test": True}
            sent = frame.client.send(body, session.once_for("test", body))
            st.session_state[_SENT] = sent.id
    if _SENT in st.session_state:
        st.fragment(_result, run_every=_EVERY_SECONDS)(frame, st.session_state[_SENT])


def _result(frame: Frame, message_id: str) -> None:
    with session.plain_words():
        message = frame.client.read_message(message_id)
        show_progress(message)
        found = frame.client.list_deliveries(message_id, None, 20).data
        if found:
            show_table(delivery_table(found))
        label = "Open the message"
        if is_over(message) or message.waiting:
            st.page_link(frame.pages["message"], label=label, query_params={"id": message_id})
