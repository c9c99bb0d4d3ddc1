"""Foreign text inside Markdown. Pure: Streamlit reads labels, errors and captions as Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>()#!|$:~&^+={}-])")


def literal(text: str) -> str:
    """Return `text` so that it shows as it is: no picture, link or colour comes out of it."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
