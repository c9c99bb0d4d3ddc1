"""What is going on now: deliveries over time, running messages, and the newest ones."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import streamlit as st

from console import session
from console.charts import over_time_chart
from console.frames import over_time_table
from console.parts.kill_part import show_stopped, show_switches
from console.parts.progress import is_over, name_of, show_buttons, show_progress
from console.session import Frame
from console.words import MESSAGE_STATES

_EVERY_SECONDS = 2
# Minutes back, and seconds of a bar.
_SPANS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "15 minutes": (15, 10),
        "3 hours": (180, 120),
        "24 hours": (1_440, 900),
        "7 days": (10_080, 7_200),
    }
)


def show(frame: Frame) -> None:
    """Show the page."""
    st.title("Overview")
    show_switches(frame)
    span = st.segmented_control("Show the last", list(_SPANS), default="15 minutes")

    @st.fragment(run_every=_EVERY_SECONDS)
    def live() -> None:
        session.show_said()
        with st.container(), session.plain_words():
            show_stopped(frame)
        with st.container(), session.plain_words():
            _chart(frame, *_SPANS[span or "15 minutes"])
        with session.plain_words():
            _messages(frame)

    live()


def _chart(frame: Frame, minutes: int, bucket_seconds: int) -> None:
    buckets = frame.client.read_deliveries_over_time(minutes, bucket_seconds)
    if not buckets:
        st.info("Nothing was delivered in this time.")
        return
    table = over_time_table(buckets, bucket_seconds)
    st.caption(f"{int(table['Recipients'].sum()):,} deliveries, by how they ended")
    spec = over_time_chart(table, datetime.now(UTC), minutes, bucket_seconds)
    st.vega_lite_chart(table, spec, height=230)


def _messages(frame: Frame) -> None:
    found = frame.client.list_messages(limit=20).data
    # What runs stands before what only waits for its time.
    live = sorted(
        (message for message in found if not is_over(message)),
        key=lambda message: message.targeted is None,
    )
    st.subheader("Under way")
    if not live:
        st.caption("No message is under way.")
    for message in live:
        with st.container(border=True, key=f"live-{message.id}"):
            _link(frame, message.id, f"**{name_of(message)}**")
            show_progress(message)
            show_buttons(frame.client, message)
    st.subheader("The newest that ended")
    ended = [message for message in found if is_over(message)][:10]
    if not ended:
        st.caption("No message has ended yet.")
    for message in ended:
        words = MESSAGE_STATES.get(message.state, message.state)
        accepted, targeted = message.counts.get("accepted", 0), message.targeted or 0
        with st.container(gap=None):
            _link(frame, message.id, name_of(message))
            st.caption(f"It {words}: {accepted:,} of {targeted:,} were accepted.")


def _link(frame: Frame, message_id: str, label: str) -> None:
    st.page_link(frame.pages["message"], label=label, query_params={"id": message_id})
