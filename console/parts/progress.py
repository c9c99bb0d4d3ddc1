"""A message in progress: how far it is, what it waits for, and its buttons."""

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from console import session
from console.answers import Message
from console.client import Client
from console.errors import ApiError, in_words
from console.markdown import literal
from console.words import MESSAGE_STATES, waits_for

_DONE: Mapping[str, str] = MappingProxyType(
    {"pause": "Paused.", "resume": "It goes on.", "cancel": "Cancelled."}
)
_ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "scheduled": ("pause", "cancel"),
        "running": ("pause", "cancel"),
        "paused": ("resume", "cancel"),
    }
)


def name_of(message: Message) -> str:
    """Return what to call a message, safe in Markdown."""
    mark = " (test)" if message.is_test else ""
    return literal(message.title or "(no title)") + mark


def is_over(message: Message) -> bool:
    """Tell whether nothing about a message can change any more."""
    return message.state == "failed" or message.finished_at is not None


def show_progress(message: Message) -> None:
    """Show how many recipients have ended, and what the others wait for."""
    words = MESSAGE_STATES.get(message.state, message.state)
    if message.failed_reason:
        words += f": {literal(message.failed_reason)}"
    if message.targeted is None:
        when = message.scheduled_at[:16].replace("T", " ")
        st.progress(
            0.0, text=f"It {words}, planned for {when} UTC. Its recipients are counted then."
        )
    else:
        ended = sum(message.counts.values())
        share = ended / message.targeted if message.targeted else 1.0
        text = f"It {words}: {ended:,} of {message.targeted:,} recipients have ended."
        st.progress(min(share, 1.0), text=text)
    # In a place of their own: what comes and goes here must not shut what stands open below.
    with st.container():
        for waiting in message.waiting:
            words = waits_for(waiting.reason, waiting.words)
            st.caption(f":material/hourglass: {waiting.recipients:,} wait. {literal(words)}")


def show_buttons(client: Client, message: Message) -> None:
    """Show what can be done to a message; it is done before the page is drawn again."""
    actions = () if is_over(message) else _ACTIONS.get(message.state, ())
    if not actions:
        return
    with st.container(horizontal=True):
        _ask_rate(client, message)
        for action in actions:
            st.button(
                action.capitalize(),
                key=f"{action}-{message.id}",
                on_click=_control,
                args=(client, message.id, action),
            )


def _ask_rate(client: Client, message: Message) -> None:
    """Ask for another rate; it is a form, so that nothing changes while somebody types."""
    limit = f"{message.rate_per_second:,g} a second" if message.rate_per_second else "no limit"
    key = f"rate-{message.id}"
    with st.popover(f"Rate: {limit}"), st.form(f"form-{key}", border=False):
        st.number_input("At most so many a second", min_value=0.1, value=None, key=key)
        with st.container(horizontal=True):
            for label, lifts in (("Set the rate", False), ("Lift the limit", True)):
                args = (client, message.id, "" if lifts else key)
                st.form_submit_button(label, on_click=_change_rate, args=args)


def _change_rate(client: Client, message_id: str, key: str) -> None:
    """Set the rate that stands in the field `key`; without a key, lift the limit."""
    rate: float | None = st.session_state.get(key) if key else None
    if key and rate is None:
        session.say("Write how many a second.")
        return
    try:
        client.change_rate(message_id, rate)
    except ApiError as error:
        session.say(f":material/error: {literal(in_words(error))}")
        return
    session.say(f"At most {rate:,g} a second from now on." if rate else "There is no limit now.")


def _control(client: Client, message_id: str, action: str) -> None:
    try:
        message = client.control(message_id, action)
    except ApiError as error:
        session.say(f":material/error: {literal(in_words(error))}")
        return
    accepted = message.counts.get("accepted", 0)
    session.say(f"{_DONE[action]} {accepted:,} were accepted by then.")
