"""The app, what the gateways know it by, its keys, and a test send."""

import streamlit as st

from console.markdown import literal
from console.parts.credential_list import show_credentials
from console.parts.credential_part import ask_credential
from console.parts.hygiene_part import show_hygiene
from console.parts.key_list import show_keys
from console.parts.key_part import ask_key
from console.parts.test_part import show_test_send
from console.session import Frame


def show(frame: Frame) -> None:
    """Show the page."""
    st.title(literal(frame.app.name))
    st.caption(literal(frame.app.id))
    credentials, tokens, keys, test = st.tabs(["Credentials", "Tokens", "Keys", "Test send"])
    with credentials:
        show_credentials(frame)
        ask_credential(frame)
    with tokens:
        show_hygiene(frame)
    with keys:
        show_keys(frame)
        ask_key(frame)
    with test:
        show_test_send(frame)
