"""The part of Compose that asks how and when to send."""

import streamlit as st

from console.composed import How, moment

_LANES = {
    "campaign": "Campaign: many people, nobody twice",
    "transactional": "Transactional: at once, before all campaigns",
}
_TTL_HOURS_LIMIT = 672


def ask_how() -> How | None:
    """Return how to send, None while a time can not be read."""
    st.subheader("How")
    lane = st.selectbox("Lane", list(_LANES), format_func=lambda one: _LANES[one])
    with st.expander("Rate, lifetime and collapse id"):
        rate = st.number_input(
            "At most so many a second", min_value=0.1, value=None, placeholder="no limit"
        )
        hours = st.number_input(
            "Hours until it is of no use any more", 1, _TTL_HOURS_LIMIT, value=24
        )
        collapse = st.text_input(
            "Collapse id", max_chars=64, help="A later message with the same id replaces this one."
        )
    when = st.radio("When", ["Now", "At a time"], horizontal=True)
    send_at = None
    if when == "At a time":
        send_at = _ask_time()
        if send_at is None:
            return None
    return How(lane, rate, int(hours) * 3_600, collapse.strip() or None, send_at)


def _ask_time() -> str | None:
    day = st.date_input("Day")
    clock = st.time_input("Time")
    zone = st.text_input("Time zone", value=st.context.timezone or "UTC")
    try:
        return moment(day, clock, zone.strip())
    except ValueError as error:
        st.error(str(error))
        return None
