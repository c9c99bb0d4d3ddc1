"""The part of Apps that lists credentials, resumes those that are paused, and retires them."""

from collections.abc import Callable, Sequence

import streamlit as st

from console import session
from console.answers import Credential
from console.errors import ApiError, in_words
from console.frames import credential_table
from console.markdown import literal
from console.parts.table import show_table
from console.session import Frame


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
        _ask_retire(frame, found)


def _paused(frame: Frame, credential: Credential) -> None:
    st.warning(
        f"**{literal(credential.name)}** is paused: {literal(credential.reason_text or '')} "
        "Mend it, then resume."
    )
    st.button(
        f"Resume {literal(credential.name)}",
        key=f"resume-{credential.id}",
        on_click=_resume,
        args=(frame, credential.id),
    )


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


def _resume(frame: Frame, credential_id: str) -> None:
    client = frame.client
    _do(lambda: client.resume_credential(frame.app.id, credential_id), "It is used again.")


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
