"""Foreign text inside Markdown. Pure: Streamlit reads labels, errors and captions as Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>()#!|$:~&^+={}-])")
# What Streamlit makes live in plain text, whatever is escaped: bare addresses (https://, www.,
# e-mail), :shortcodes: of emoji and icons, arrows such as ->. Each falls apart at its joint.
_JOINTS = re.compile(r":(?=\S)|@|www(?=\.)|[-<>~](?=[-=>])", re.IGNORECASE)
_LIST = re.compile(r"^(\d+)([.)])")
# U+2060 is not seen, takes no room and lets no line break.
_WORD_JOINER = "\N{WORD JOINER}"


def literal(text: str) -> str:
    """Return `text` so that it shows as it is: no picture, link, icon or colour comes out of it."""
    loose = _JOINTS.sub(rf"\g<0>{_WORD_JOINER}", " ".join(text.split()))
    return _LIST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", loose))
