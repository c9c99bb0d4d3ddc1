"""The part of Compose that asks what shall be shown, with overrides by platform."""

from typing import Any

import streamlit as st

from console.client import PLATFORMS
from console.composed import read_data

_NAMES = {"ios": "iOS", "android": "Android", "web": "Web"}


def ask_content() -> dict[str, Any] | None:
    """Return `content` for the API, None while it can not be sent."""
    st.subheader("What")
    st.caption("Texts are templates: `{{ first_name | default('there') }}` is filled in.")
    content: dict[str, Any] = {
        "title": st.text_input("Title"),
        "body": st.text_area("Body", height=90),
    }
    with st.expander("Picture, link, data, sound and badge"):
        content |= _extras("", "every platform")
    for platform in PLATFORMS:
        with st.expander(f"Other on {_NAMES[platform]}"):
            own = _override(platform)
            if own:
                content[platform] = own
    given = {name: value for name, value in content.items() if value not in ("", None)}
    shown = [given, *(given.get(platform, {}) for platform in PLATFORMS)]
    if any(one.get(name) for one in shown for name in ("title", "body", "data", "deep_link")):
        return given
    return None


def _override(platform: str) -> dict[str, Any]:
    name = _NAMES[platform]
    own = {
        "title": st.text_input(f"Title on {name}"),
        "body": st.text_area(f"Body on {name}", height=70),
        **_extras(platform, name),
    }
    return {name: value for name, value in own.items() if value not in ("", None)}


def _extras(platform: str, name: str) -> dict[str, Any]:
    extras: dict[str, Any] = {
        "subtitle": st.text_input("Subtitle (iOS)", key=f"subtitle-{platform}"),
        "image": st.text_input("Address of a picture", key=f"image-{platform}"),
        "deep_link": st.text_input("Deep link", key=f"link-{platform}"),
        "sound": st.text_input("Sound", key=f"sound-{platform}", placeholder="default"),
        "badge": st.number_input(
            "Badge", min_value=0, max_value=99_999, value=None, key=f"badge-{platform}"
        ),
    }
    text = st.text_area(
        f"Data for {name}, one `key=value` in each line", key=f"data-{platform}", height=70
    )
    try:
        extras["data"] = read_data(text) or None
    except ValueError as error:
        st.error(str(error))
    return extras
