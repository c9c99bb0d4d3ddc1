"""PostgreSQL's text form of arrays, built in a few calls for hundreds of values at once; pure."""

from collections.abc import Sequence

_WORDS_LIMIT = 500


def numbers(values: Sequence[int | None]) -> str:
    """Return whole numbers as an array literal."""
    # No number has letters: what reads None was one.
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def words(values: Sequence[str | None]) -> str:
    """Return texts as an array literal, each as `storable` makes it."""
    texts = [value for value in values if value is not None]
    joined = '","'.join(texts)
    if texts and len(texts) == len(values) and _is_plain(joined, texts):
        return '{"' + joined + '"}'
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def storable(text: str | None) -> str | None:
    """Return text as PostgreSQL takes it: no NUL, no half characters, not endless."""
    if text is None:
        return None
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_WORDS_LIMIT]


def _is_plain(joined: str, texts: Sequence[str]) -> bool:
    """Tell whether no text needs a change or an escape, in a few calls however many they are."""
    return (
        joined.isascii()
        and joined.isprintable()
        and "\\" not in joined
        and joined.count('"') == 2 * (len(texts) - 1)
        and max(map(len, texts)) <= _WORDS_LIMIT
    )


def _quoted(value: str | None) -> str:
    text = storable(value)
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
