"""Who is signed in: kept in the session of one browser tab and nowhere else."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
import streamlit as st
from streamlit.navigation.page import Page

from console.answers import App
from console.client import Client
from console.errors import ApiError, ApiRefusedError
from console.line import Access
from console.markdown import literal

API_URL_VARIABLE = "CARILLON_CONSOLE_API_URL"
_DEFAULT_API_URL = "http://127.0.0.1:8000"
_ACCESS, _APPS, _SAID = "access", "apps", "said"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page gets: the API as this person, the app worked in, and the other pages."""

    client: Client
    app: App
    pages: Mapping[str, Page]


def api_url() -> str:
    """Return where the API is."""
    return os.environ.get(API_URL_VARIABLE) or _DEFAULT_API_URL


@st.cache_resource
def transport() -> httpx.HTTPTransport:
    """Return the connections all sessions share; each request brings its own key."""
    return httpx.HTTPTransport(trust_env=False)


def connect(access: Access) -> Client:
    """Return the API as whoever holds `access`."""
    return Client(api_url(), access, transport())


def signed_in() -> tuple[Access, list[App]] | None:
    """Return what was signed in with, and the apps it reaches; None before that."""
    access = st.session_state.get(_ACCESS)
    return (access, st.session_state[_APPS]) if access else None


def sign_in(access: Access, apps: list[App]) -> None:
    """Remember the key for this tab."""
    st.session_state[_ACCESS] = access
    st.session_state[_APPS] = apps


def sign_out() -> None:
    """Forget the key and all that was seen with it."""
    st.session_state.clear()


def fresh_once() -> str:
    """Return an Idempotency-Key."""
    return uuid4().hex


def say(words: str) -> None:
    """Say something at the next run: callbacks come before the page is drawn."""
    st.session_state[_SAID] = words


def show_said() -> None:
    """Show what a callback had to say."""
    words = st.session_state.pop(_SAID, None)
    if words:
        st.toast(words)


@contextmanager
def plain_words() -> Iterator[None]:
    """Show an error of the API in words, where it happens, instead of what needed its answer."""
    try:
        yield
    except ApiError as error:
        show_error(error)


def show_error(error: ApiError) -> None:
    """Show what the API, or its silence, said."""
    lines = [literal(str(error) or " ".join((type(error).__doc__ or "").split()))]
    if isinstance(error, ApiRefusedError):
        lines += [f"* {literal(fault)}" for fault in error.faults]
        if error.status >= 500:
            lines.append("This is the API's fault, not yours. Try again in a moment.")
        if error.status == 401:
            lines.append("Sign out and in again with a key that is alive.")
    st.error("\n\n".join([lines[0], "\n".join(lines[1:])]).strip())
