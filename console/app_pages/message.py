"""One message: how far it is, how its recipients ended and why, and each of them."""

import streamlit as st

from console import session
from console.answers import Message
from console.frames import ENDS, count_table, delivery_table, message_table
from console.markdown import literal
from console.parts.pager import Pager
from console.parts.progress import is_over, name_of, show_buttons, show_progress
from console.parts.table import columns_of, show_table
from console.session import Frame

_EVERY_SECONDS = 2
_ROWS = 50
_ALL = "all of them"
_RECEIPTS = "As phones report it. Apps that do not send receipts report nothing."


def show(frame: Frame) -> None:
    """Show the message whose id stands in the address, or the list of all."""
    message_id = st.query_params.get("id", "")
    if not message_id:
        _list(frame)
        return
    with session.plain_words():
        first = frame.client.read_message(message_id)
        st.title(name_of(first))
        st.caption(f"Message {literal(first.id)}, {literal(first.lane)} lane")
        # Who looks at what is over needs no fresh answers.
        st.fragment(_live, run_every=None if is_over(first) else _EVERY_SECONDS)(frame, first)
        _deliveries(frame, message_id)


def _list(frame: Frame) -> None:
    st.title("Messages")
    with session.plain_words():
        cursor = Pager("messages")
        page = frame.client.list_messages(limit=_ROWS, cursor=cursor.present)
        if not page.data:
            st.info("No message has been sent yet.")
            return
        table = message_table(page.data)
        chosen = st.dataframe(
            table,
            hide_index=True,
            column_config=columns_of(table),
            placeholder="",
            key="message_list",
            on_select="rerun",
            selection_mode="single-row",
        )
        cursor.show(page.next_cursor)
        rows = chosen["selection"]["rows"]
        if rows:
            st.switch_page(frame.pages["message"], query_params={"id": page.data[rows[0]].id})


def _live(frame: Frame, first: Message) -> None:
    session.show_said()
    with session.plain_words():
        message = frame.client.read_message(first.id)
        show_progress(message)
        show_buttons(frame.client, message)
        with st.container(horizontal=True):
            targeted = "not known yet" if message.targeted is None else f"{message.targeted:,}"
            st.metric("Targeted", targeted)
            st.metric("Accepted", f"{message.counts.get('accepted', 0):,}")
            st.metric("Not accepted", f"{_others(message):,}")
            st.metric("Open", f"{message.open:,}")
            st.metric("Arrived", _reported(message, "confirmed"), help=_RECEIPTS)
            st.metric("Opened", _reported(message, "opened"), help=_RECEIPTS)
        table = count_table(message)
        if not table.empty:
            st.subheader("How they ended")
            # A plain table folds its sentences, which a phone needs.
            words = {name: table[name].map(literal) for name in ("Outcome", "Why")}
            st.table(table.assign(**words), hide_index=True)
        if is_over(message) and not is_over(first):
            st.rerun()


def _reported(message: Message, milestone: str) -> str:
    count = message.receipts.get(milestone, 0)
    return f"{count:,}" if count else "none"


def _others(message: Message) -> int:
    return sum(message.counts.values()) - message.counts.get("accepted", 0)


def _deliveries(frame: Frame, message_id: str) -> None:
    st.subheader("Each recipient")
    state = st.selectbox("Show those that ended", [_ALL, *ENDS])
    cursor = Pager(f"deliveries-{message_id}-{state}")
    wanted = None if state == _ALL else state
    page = frame.client.list_deliveries(message_id, wanted, _ROWS, cursor.present)
    if not page.data:
        st.caption("Nobody has ended like this yet.")
        return
    show_table(delivery_table(page.data))
    cursor.show(page.next_cursor)
