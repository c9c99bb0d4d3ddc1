"""The part of the overview that stops sending at once, and says so while it is stopped."""

from collections.abc import Callable, Sequence

import streamlit as st

from console import session
from console.answers import KillSwitch
from console.errors import ApiError, in_words
from console.markdown import literal
from console.session import Frame

_WHY = "kill-reason"
_EVERYBODY = "The whole installation (needs an operator's key)"

Level = Sequence[str]


def show_stopped(frame: Frame) -> None:
    """Show a banner while sending is stopped for everybody or for this app."""
    switch = frame.client.read_kill_switch(frame.app.id)
    if "installation" in switch.stopped_by:
        st.warning("**Sending is stopped for the whole installation.**", icon=":material/block:")
    if switch.is_on:
        st.warning(
            f"**Sending is stopped for this app since {_since(switch)}:** "
            f"{literal(switch.reason or '')} Messages are accepted, and wait.",
            icon=":material/block:",
        )


def show_switches(frame: Frame) -> None:
    """Show the way to stop this app, one of its credentials or everybody, and to go on."""
    with st.popover("Kill switch", icon=":material/block:"), session.plain_words():
        levels = _levels(frame)
        label = st.selectbox("Stop sending of", list(levels))
        level = levels[label]
        switch = frame.client.read_kill_switch(*level)
        if switch.is_on:
            st.write(f"Stopped since {_since(switch)}: {literal(switch.reason or '')}")
            st.button("Let it send again", on_click=_release, args=(frame, level))
            return
        st.caption("Within a second nothing new leaves. Nothing is lost: recipients wait.")
        st.text_input("Why?", max_chars=500, key=_WHY)
        st.button("Stop sending", type="primary", on_click=_stop, args=(frame, level))


def _levels(frame: Frame) -> dict[str, Level]:
    found = frame.client.list_credentials(frame.app.id).data
    credentials: dict[str, Level] = {
        f"Credential {one.name} ({one.provider.upper()}, {one.id})": (frame.app.id, one.id)
        for one in found
    }
    return {f"This app: {frame.app.name}": (frame.app.id,), **credentials, _EVERYBODY: ()}


def _since(switch: KillSwitch) -> str:
    return f"{(switch.set_at or '')[:16].replace('T', ' ')} UTC"


def _stop(frame: Frame, level: Level) -> None:
    reason = str(st.session_state.get(_WHY) or "").strip()
    if not reason:
        session.say("Write why, for those who find it stopped.")
        return
    _do(lambda: frame.client.stop(reason, *level), "Sending is stopped.")


def _release(frame: Frame, level: Level) -> None:
    _do(lambda: frame.client.release(*level), "It sends again.")


def _do(call: Callable[[], object], done: str) -> None:
    try:
        call()
    except ApiError as error:
        session.say(f":material/error: {literal(in_words(error))}")
        return
    session.say(done)
