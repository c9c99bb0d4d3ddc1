"""The part of Apps that adds what a gateway knows the app by."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from console import credential_bodies, session
from console.session import Frame

_READ_FROM_IT = "read from the certificate"


def ask_credential(frame: Frame) -> None:
    """Show a form for each kind of credential."""
    st.subheader("Add one")
    forms: dict[str, Callable[[], dict[str, Any] | None]] = {
        "FCM service account": _service_account,
        "APNs signing key": _signing_key,
        "APNs certificate": _certificate,
    }
    kind = st.radio("Kind", list(forms), horizontal=True)
    with st.form("credential_form"):
        try:
            body = forms[kind]()
        except ValueError as error:
            body = None
            st.error(str(error))
        if not st.form_submit_button("Add", type="primary"):
            return
    if body is None:
        st.error("Choose the file first.")
        return
    with session.plain_words():
        made = frame.client.add_credential(frame.app.id, body, session.once_for("credential", body))
        session.say(f"{made.provider.upper()} knows the app now.")
        st.rerun()


def _service_account() -> dict[str, Any] | None:
    name = st.text_input("Name", value="Firebase")
    file = st.file_uploader("Service account (JSON)", type=["json"], max_upload_size=1)
    return credential_bodies.service_account(name, file.getvalue()) if file else None


def _signing_key() -> dict[str, Any] | None:
    name = st.text_input("Name", value="APNs key")
    file = st.file_uploader("Signing key (.p8)", type=["p8"], max_upload_size=1)
    facts = {
        "key_id": st.text_input("Key id", max_chars=10).strip(),
        "team_id": st.text_input("Team id", max_chars=10).strip(),
        "topic": st.text_input("Bundle id", placeholder="com.example.shop").strip(),
        "environment": st.selectbox("Environment", ["production", "development"]),
    }
    return credential_bodies.signing_key(name, file.getvalue(), facts) if file else None


def _certificate() -> dict[str, Any] | None:
    name = st.text_input("Name", value="APNs certificate")
    file = st.file_uploader("Certificate (.p12)", type=["p12", "pfx"], max_upload_size=1)
    password = st.text_input("Its password", type="password")
    environment = st.selectbox("Environment", [_READ_FROM_IT, "production", "development"])
    facts = {
        "topic": st.text_input("Bundle id", placeholder=_READ_FROM_IT).strip(),
        "environment": "" if environment == _READ_FROM_IT else environment,
    }
    return credential_bodies.certificate(name, file.getvalue(), password, facts) if file else None
