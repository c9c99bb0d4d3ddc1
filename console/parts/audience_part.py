"""The part of Compose that asks who shall get it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from console.audience import PEOPLE_LIMIT, from_file, from_lines

_EVERYBODY, _LIST, _UPLOAD = "Everybody", "A list of people", "An upload"
_UPLOAD_MEGABYTES = 5


def ask_audience() -> Mapping[str, Any] | None:
    """Return `to` for the API, None while nobody is named."""
    st.subheader("Who")
    kind = st.radio("Send to", [_LIST, _UPLOAD, _EVERYBODY], horizontal=True)
    if kind == _EVERYBODY:
        st.caption("All people of the app, and all devices that belong to nobody.")
        return {"all": True}
    people = _typed() if kind == _LIST else _uploaded()
    if len(people) > PEOPLE_LIMIT:
        st.error(f"{len(people):,} people are too many for one message: {PEOPLE_LIMIT:,} at most.")
        return None
    if people:
        st.caption(f"{len(people):,} people")
    return {"people": people} if people else None


def _typed() -> list[str]:
    text = st.text_area("External ids, one in each line", height=110, placeholder="customer-1815")
    return from_lines(text)


def _uploaded() -> list[str]:
    file = st.file_uploader(
        "CSV or text file of external ids",
        type=["csv", "txt", "tsv"],
        max_upload_size=_UPLOAD_MEGABYTES,
        help="With a head line, the column `external_id` counts; else the first column.",
    )
    if file is None:
        return []
    try:
        people = from_file(file.getvalue())
    except ValueError as error:
        st.error(str(error))
        return []
    if not people:
        st.error("The file names nobody.")
    return people
