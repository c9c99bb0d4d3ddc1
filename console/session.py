"""Who is signed in: kept in the session of one browser tab and nowhere else."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import streamlit as st
from streamlit.navigation.page import Page

from console.answers import App
from console.client import Client
from console.errors import ApiError, ApiRefusedError, in_words
from console.line import Access
from console.markdown import literal

API_URL_VARIABLE = "CARILLON_CONSOLE_API_URL"
VISIT = "visit-"
_DEFAULT_API_URL = "http://127.0.0.1:8000"
_ACCESS, _APPS, _SAID = "access", "apps", "said"
_DOUBLE_CLICK_SECONDS = 3.0


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


def holds(hint: str) -> bool:
    """Tell whether the key signed in with begins like this."""
    access: Access | None = st.session_state.get(_ACCESS)
    return access is not None and access.key.startswith(hint)


def sign_in(access: Access, apps: list[App]) -> None:
    """Remember the key for this tab."""
    st.session_state[_ACCESS] = access
    st.session_state[_APPS] = apps


def sign_out() -> None:
    """Forget the key and all that was seen with it."""
    st.session_state.clear()


def visit(page: str) -> None:
    """Forget what belonged to the visit of another page: keys that begin with `VISIT`."""
    if st.session_state.get("page") != page:
        st.session_state["page"] = page
        for key in [key for key in st.session_state if str(key).startswith(VISIT)]:
            del st.session_state[key]


def fresh_once() -> str:
    """Return an Idempotency-Key."""
    return uuid4().hex


def once_for(what: str, body: Mapping[str, Any]) -> str:
    """Return an Idempotency-Key: for a double click the same one, for a later wish another."""
    now = time.monotonic()
    key, known, since = st.session_state.get(f"once-{what}", ("", None, now))
    if known != body or now - since > _DOUBLE_CLICK_SECONDS:
        key, since = fresh_once(), now
    st.session_state[f"once-{what}"] = (key, body, since)
    return str(key)


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
    lines = [literal(in_words(error))]
    if isinstance(error, ApiRefusedError):
        lines += [f"* {literal(fault)}" for fault in error.faults]
        if error.status >= 500:
            lines.append("This is the API's fault, not yours. Try again in a moment.")
        if error.status == 401:
            lines.append("Sign in again with a key that is alive.")
    st.error("\n\n".join([lines[0], "\n".join(lines[1:])]).strip())
