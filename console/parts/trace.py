"""What happened to one delivery, step by step in the API's words."""

import streamlit as st

from console.client import Client
from console.frames import step_table
from console.markdown import literal
from console.parts.table import show_table


def show_trace(client: Client, delivery_id: str) -> None:
    """Show the trace of a delivery, which may be of any message and device."""
    trace = client.read_trace(delivery_id)
    st.subheader(f"What happened to {literal(trace.title or '(no title)')}")
    whom = literal(trace.person or "nobody known")
    where = literal(trace.device or "no device, or one that was deleted")
    st.caption(f"Message {literal(trace.message)} to {whom}, at {where}")
    st.markdown(f"**{literal(trace.state.capitalize())}**: {literal(trace.words)}")
    table = step_table(trace.steps)
    show_table(table)
    if table["Not before"].notna().any():
        st.caption("A step with two times happened between them; its own moment is not kept.")
