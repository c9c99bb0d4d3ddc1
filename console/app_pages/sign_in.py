"""The sign-in with a key, until there are accounts of staff."""

import streamlit as st

from console import session
from console.answers import App
from console.errors import ApiError, ApiRefusedError
from console.line import Access


def show() -> None:
    """Show the page."""
    st.title("Carillon")
    with st.form("sign_in_form"):
        key = st.text_input("Admin key", type="password", help="`./carillon app create` prints it.")
        app_id = st.text_input("App id", help="Only for an operator's key that reaches many apps.")
        wanted = st.form_submit_button("Sign in", type="primary")
    if not wanted:
        return
    access = Access(key.strip(), app_id.strip())
    if not _could_be(access):
        st.error("Enter the key as it was printed.")
        return
    try:
        apps = list(session.connect(access).list_apps().data)
        if not apps:
            st.error("This key reaches no app yet. Make one with `./carillon app create NAME`.")
            return
        chosen = Access(access.key, access.app_id or apps[0].id)
        session.connect(chosen).list_messages(limit=1)
    except ApiError as error:
        _refuse(error)
        return
    if all(app.id != chosen.app_id for app in apps):
        apps.append(App(chosen.app_id, chosen.app_id, ""))
    session.sign_in(chosen, apps)
    st.rerun()


def _could_be(access: Access) -> bool:
    """Tell whether both fit into a header of HTTP."""
    return bool(access.key) and all(
        text.isascii() and text.isprintable() for text in (access.key, access.app_id)
    )


def _refuse(error: ApiError) -> None:
    if isinstance(error, ApiRefusedError) and error.code == "forbidden_scope":
        st.error("This is no admin key; make one with `./carillon app create NAME`.")
    else:
        session.show_error(error)
