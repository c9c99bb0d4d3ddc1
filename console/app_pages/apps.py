"""The app, what the gateways know it by, its keys, and a test send."""

import streamlit as st

from console import session
from console.answers import Credential
from console.errors import ApiError
from console.frames import credential_table, key_table
from console.markdown import literal
from console.parts.credential_part import ask_credential
from console.parts.key_part import ask_key
from console.parts.test_part import show_test_send
from console.session import Frame


def show(frame: Frame) -> None:
    """Show the page."""
    st.title(literal(frame.app.name))
    st.caption(literal(frame.app.id))
    credentials, keys, test = st.tabs(["Credentials", "Keys", "Test send"])
    with credentials:
        _credentials(frame)
    with keys:
        _keys(frame)
    with test:
        show_test_send(frame)


def _credentials(frame: Frame) -> None:
    with session.plain_words():
        found = frame.client.list_credentials(frame.app.id).data
        if found:
            st.dataframe(
                credential_table(found), hide_index=True, column_config={"Why": {"width": "large"}}
            )
        else:
            st.info("The gateways do not know this app yet. Add a credential to send anything.")
        for credential in found:
            if credential.state == "paused":
                _paused(frame, credential)
    ask_credential(frame)


def _paused(frame: Frame, credential: Credential) -> None:
    st.warning(
        f"**{literal(credential.name)}** is paused: {literal(credential.reason_text or '')} "
        "Mend it, then resume."
    )
    st.button(
        f"Resume {credential.name}",
        key=f"resume-{credential.id}",
        on_click=_resume,
        args=(frame, credential.id),
    )


def _resume(frame: Frame, credential_id: str) -> None:
    try:
        frame.client.resume_credential(frame.app.id, credential_id)
    except ApiError as error:
        session.say(literal(str(error)))
        return
    session.say("It is used again.")


def _keys(frame: Frame) -> None:
    with session.plain_words():
        found = frame.client.list_keys(frame.app.id).data
        st.dataframe(key_table(found), hide_index=True)
    ask_key(frame)
