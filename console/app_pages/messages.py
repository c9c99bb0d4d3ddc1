"""The messages of an app: the newest ones, and one looked up by its id."""

import streamlit as st

from console.client import ApiError, Client
from console.frames import count_table, message_table, open_recipients


def show(client: Client) -> None:
    """Show the page."""
    _show_recent(client)
    _show_one(client)


def _show_recent(client: Client) -> None:
    st.header("Recent messages")
    st.button("Refresh")
    try:
        found = client.list_messages()
    except ApiError as error:
        st.error(str(error))
        return
    if not found:
        st.info("No message has been sent yet.")
        return
    st.dataframe(message_table(found), hide_index=True)


def _show_one(client: Client) -> None:
    st.header("One message")
    message_id = st.text_input("Message id").strip()
    if not message_id:
        return
    try:
        message = client.read_message(message_id)
    except ApiError as error:
        st.error(str(error))
        return
    st.text(f"{message.id} is {message.state} on the {message.lane} lane.")
    targeted = "not known yet" if message.targeted is None else f"{message.targeted:,}"
    st.metric("Targeted", targeted)
    st.dataframe(count_table(message.counts, open_recipients(message)), hide_index=True)
