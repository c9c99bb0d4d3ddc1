"""The part of Apps that says which tokens are worth keeping, and why the others are not."""

import streamlit as st

from console import session
from console.fleet_answers import Hygiene
from console.frames import hygiene_table
from console.parts.table import show_table
from console.session import Frame


def show_hygiene(frame: Frame) -> None:
    """Count the tokens of the app when asked to, for it looks at all of them."""
    st.caption("Tokens that live, those that were refused, and those that have ended.")
    if not st.button("Count the tokens"):
        return
    with session.plain_words(), st.spinner("Counting ..."):
        _show(frame.client.read_hygiene())


def _show(found: Hygiene) -> None:
    suspect = sum(one.tokens for one in found.suspect)
    dead = sum(one.tokens for one in found.dead)
    with st.container(horizontal=True):
        st.metric("Live", f"{found.active:,}")
        st.metric("Suspect", f"{suspect:,}")
        st.metric("Dead", f"{dead:,}")
    if found.suspect or found.dead:
        show_table(hygiene_table(found))
    else:
        st.info("No token was ever refused.")
    st.caption(
        f"Of {found.devices:,} devices {found.over_30_days:,} were not seen for 30 days, "
        f"{found.over_270_days:,} of these for 270 days: then Firebase ends a registration."
    )
