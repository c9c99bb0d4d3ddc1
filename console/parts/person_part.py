"""What else a person is called, agrees to and did, and how they came to be as they are."""

import streamlit as st

from console.client import Client
from console.frames import change_table, events_table
from console.markdown import literal
from console.parts.table import show_table

_ROWS = 50


def show_names(client: Client, external_id: str) -> None:
    """Say which other names lead to a person; nothing when there are none."""
    aliases = client.list_aliases(external_id)
    if aliases:
        st.caption(f"Also called {literal(', '.join(aliases))}")


def show_consents(client: Client, external_id: str) -> None:
    """Say what a person agrees to, and who said so."""
    for one in client.list_consents(external_id):
        said = f"said by {literal(one.source)}" if one.source else "the default of this app"
        words = f"{literal(one.kind.capitalize())}: {'yes' if one.granted else 'no'} ({said})"
        if one.kind == "push" and not one.granted:
            st.warning(f"{words}. Nothing is sent to this person.")
        else:
            st.caption(words)


def show_events(client: Client, external_id: str) -> None:
    """Show what a person did, folded away."""
    with st.expander("What this person did"):
        events = client.list_events(external_id, _ROWS)
        if not events:
            st.caption("No event of this person has come.")
            return
        show_table(events_table(events))


def show_changes(client: Client, external_id: str) -> None:
    """Show what has changed about a person, folded away."""
    with st.expander("What has changed about this person"):
        changes = client.list_changes(external_id, _ROWS).data
        if not changes:
            st.caption("Nothing has changed since this person was made.")
            return
        show_table(change_table(changes))
