"""The part of Compose that asks who shall get it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console import session
from console.audience import PEOPLE_LIMIT, from_file, from_lines
from console.segment_answers import Segment
from console.session import Frame

_EVERYBODY, _LIST, _UPLOAD = "Everybody", "A list of people", "An upload"
_SEGMENT = "A segment"
_KINDS = [_LIST, _UPLOAD, _SEGMENT, _EVERYBODY]
_UPLOAD_MEGABYTES = 5


def ask_audience(frame: Frame) -> Mapping[str, Any] | None:
    """Return `to` and `exclude` for the API, None while nobody is named."""
    st.subheader("Who")
    wanted = st.query_params.get("segment")
    start = _KINDS.index(_SEGMENT if wanted else _LIST)
    kind = st.radio("Send to", _KINDS, index=start, horizontal=True)
    segments: Sequence[Segment] = ()
    with session.plain_words():
        segments = frame.client.segments.list_segments()
    to = _segment(segments, wanted) if kind == _SEGMENT else _others(kind)
    without = _choose(segments, "But not to those in", "Nobody is left out")
    if to is None:
        return None
    return {"to": to, **({"exclude": {"segment": without}} if without else {})}


def _segment(segments: Sequence[Segment], wanted: str | None) -> Mapping[str, Any] | None:
    if not segments:
        st.caption("There is no segment yet: build one on the page Segments.")
    chosen = _choose(segments, "Segment", "Choose one", wanted)
    if chosen is None:
        return None
    st.caption("Who is in it when the message is due gets it.")
    return {"segment": chosen}


def _choose(
    segments: Sequence[Segment], label: str, placeholder: str, wanted: str | None = None
) -> str | None:
    names = {one.id: one.name for one in segments}
    return st.selectbox(
        label,
        list(names),
        index=list(names).index(wanted) if wanted in names else None,
        format_func=lambda one: names.get(one, one),
        placeholder=placeholder,
    )


def _others(kind: str) -> Mapping[str, Any] | None:
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
