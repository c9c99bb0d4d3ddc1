"""The part of Apps that lists credentials, resumes those that are paused, and retires them."""

from collections.abc import Callable, Sequence

import streamlit as st

from console import session
from console.errors import ApiError, in_words
from console.fleet_answers import Credential
from console.frames import credential_table, event_table
from console.markdown import literal
from console.parts.table import show_table
from console.session import Frame

_EVENTS = 20


def show_credentials(frame: Frame) -> None:
    """Show the credentials, and what can be done to one of them."""
    with session.plain_words():
        found = frame.client.list_credentials(frame.app.id).data
        if not found:
            st.info("The gateways do not know this app yet. Add a credential to send anything.")
            return
        show_table(credential_table(found))
        for credential in found:
            if credential.state == "paused":
                _paused(frame, credential)
            elif credential.hold_text:
                _held(frame, credential)
        _ask_retire(frame, found)


def _paused(frame: Frame, credential: Credential) -> None:
    by_itself = " It is tried again by itself." if credential.probe_at else ""
    st.warning(
        f"**{literal(credential.name)}** is paused: {literal(credential.reason_text or '')} "
        f"Mend it, then resume.{by_itself}"
    )
    name = literal(credential.name)
    with st.container(horizontal=True):
        _button(frame, credential, f"Resume {name}")
        if credential.reason == "fleet_guard":
            _button(frame, credential, "The tokens are wrong: trust the gateway", "trust_refusals")
        else:
            _button(frame, credential, "Resume without asking the gateway", "force")


def _held(frame: Frame, credential: Credential) -> None:
    platforms = " and ".join(credential.held_platforms or ())
    st.warning(
        f"**{literal(credential.name)}**: devices on {literal(platforms)} wait. "
        f"{literal(credential.hold_text or '')} They are tried again by themselves."
    )
    _button(frame, credential, f"Let those of {literal(credential.name)} go now")


def _button(frame: Frame, credential: Credential, label: str, *wishes: str) -> None:
    key = "-".join(("resume", credential.id, *wishes))
    st.button(label, key=key, on_click=_resume, args=(frame, credential.id, *wishes))


def _ask_retire(frame: Frame, found: Sequence[Credential]) -> None:
    names = {one.id: f"{one.name} ({one.provider.upper()})" for one in found}
    chosen = st.selectbox("Retire a credential", list(names), format_func=lambda one: names[one])
    with st.popover("Retire"):
        st.write(
            f"Nothing is sent with **{literal(names[chosen])}** any more. "
            "This can not be taken back; the same file can be added again."
        )
        args = (frame, chosen)
        st.button("Retire this credential", on_click=_retire, args=args, type="primary")
    events = frame.client.list_credential_events(frame.app.id, chosen, _EVENTS)
    if events:
        with st.expander(f"What happened to {literal(names[chosen])}"):
            show_table(event_table(events))


def _resume(frame: Frame, credential_id: str, *wishes: str) -> None:
    client, wish = frame.client, dict.fromkeys(wishes, True)
    _do(lambda: client.resume_credential(frame.app.id, credential_id, **wish), "It is used again.")


def _retire(frame: Frame, credential_id: str) -> None:
    client = frame.client
    _do(lambda: client.retire_credential(frame.app.id, credential_id), "It is retired.")


def _do(call: Callable[[], object], done: str) -> None:
    try:
        call()
    except ApiError as error:
        session.say(literal(in_words(error)))
        return
    session.say(done)
