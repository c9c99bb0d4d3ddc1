"""The console: `streamlit run console/app.py`. Signs a person in and frames the pages."""

import os

import streamlit as st

from console.app_pages import messages
from console.client import Access, ApiError, Client

API_URL_VARIABLE = "CARILLON_CONSOLE_API_URL"
_DEFAULT_API_URL = "http://127.0.0.1:8000"


def main() -> None:
    """Show the sign-in, or the page to whoever is signed in."""
    st.set_page_config(page_title="Carillon", layout="wide")
    st.title("Carillon")
    api_url = os.environ.get(API_URL_VARIABLE) or _DEFAULT_API_URL
    access = st.session_state.get("access")
    if access is None:
        _sign_in(api_url)
        return
    with st.sidebar:
        st.caption(f"API {api_url}")
        if st.button("Sign out"):
            del st.session_state["access"]
            st.rerun()
    with Client(api_url, access) as client:
        messages.show(client)


def _sign_in(api_url: str) -> None:
    with st.form("sign_in"):
        key = st.text_input("Admin key", type="password", help="`./carillon app create` prints it.")
        app_id = st.text_input("App id", help="Only for an operator's key, which has no app.")
        wanted = st.form_submit_button("Sign in")
    if not wanted:
        return
    access = Access(key.strip(), app_id.strip())
    if not (access.key.isascii() and access.app_id.isascii() and access.key):
        st.error("Enter the key as it was printed.")
        return
    try:
        with Client(api_url, access) as client:
            client.list_messages(limit=1)
    except ApiError as error:
        st.error(str(error))
        return
    st.session_state["access"] = access
    st.rerun()


main()
