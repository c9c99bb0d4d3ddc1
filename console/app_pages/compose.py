"""Compose: who, what, how and when, with a preview, and a last question before it is sent."""

import streamlit as st

from console.composed import message_body
from console.parts.audience_part import ask_audience
from console.parts.content_part import ask_content
from console.parts.how_part import ask_how
from console.parts.preview_part import show_preview
from console.parts.send_part import show_send, show_sent
from console.session import Frame


def show(frame: Frame) -> None:
    """Show the page."""
    st.title("Compose")
    if show_sent(frame):
        return
    form, preview = st.columns([3, 2], gap="large")
    with form:
        whom = ask_audience(frame)
        content = ask_content()
        how = ask_how()
    with preview:
        show_preview(frame, content, (whom or {}).get("to"))
        body = message_body(whom, content, how) if whom and content and how else None
        show_send(frame, body)
