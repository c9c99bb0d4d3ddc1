"""The script of the console. Signs a person in and frames the pages; `serve.py` runs it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import streamlit as st
from streamlit.navigation.page import Page

from console import session
from console.answers import App
from console.app_pages import apps, compose, lookup, message, overview, segments, sign_in
from console.line import Access
from console.session import Frame

_ICON = Path(__file__).with_name("icon.png")
_PAGES: Mapping[str, tuple[Callable[[Frame], None], str, str]] = MappingProxyType(
    {
        "overview": (overview.show, "Overview", ":material/monitoring:"),
        "segments": (segments.show, "Segments", ":material/filter_alt:"),
        "compose": (compose.show, "Compose", ":material/edit_notifications:"),
        "message": (message.show, "Messages", ":material/outgoing_mail:"),
        "lookup": (lookup.show, "Look up", ":material/person_search:"),
        "apps": (apps.show, "Apps and keys", ":material/key:"),
    }
)


def main() -> None:
    """Show the sign-in, or the page that was asked for to whoever is signed in."""
    # A picture of our own: an icon by name would be asked of somebody else.
    st.set_page_config(page_title="Carillon", page_icon=str(_ICON), layout="wide")
    st.html("<style>.stMainBlockContainer {padding-top: 3rem}</style>")
    frame: list[Frame] = []
    pages = {name: _page(name, frame) for name in _PAGES}
    who = session.signed_in()
    chosen = st.navigation(list(pages.values()), position="hidden")
    if who is None:
        sign_in.show()
        return
    access = _bar(pages, *who)
    app = next(one for one in who[1] if one.id == access.app_id)
    frame.append(Frame(session.connect(access), app, pages))
    session.visit(chosen.url_path)
    session.show_said()
    chosen.run()


def _page(name: str, frame: list[Frame]) -> Page:
    show, title, icon = _PAGES[name]

    def run() -> None:
        show(frame[0])

    return st.Page(run, title=title, icon=icon, url_path=name, default=name == "overview")


def _bar(pages: Mapping[str, Page], access: Access, known: list[App]) -> Access:
    """Show the ways to all pages and who is where; return the access to the app that is chosen.

    A sidebar would stay open over the page on a phone.
    """
    names = {app.id: app.name for app in known}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for page in pages.values():
            st.page_link(page)
        with st.popover("Account", icon=":material/account_circle:"):
            chosen = st.selectbox(
                "App",
                list(names),
                index=list(names).index(access.app_id),
                format_func=lambda one: names[one],
            )
            st.caption("API")
            st.code(session.api_url(), language=None)
            st.button("Sign out", on_click=session.sign_out)
    return Access(access.key, chosen)


main()
