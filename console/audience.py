"""Who shall get it, from what was typed or uploaded. Pure: texts in, external ids out."""

import csv
import io
from collections.abc import Iterable

PEOPLE_LIMIT = 10_000
_HEADS = ("external_id", "person", "id", "user_id", "customer_id")


def from_lines(text: str) -> list[str]:
    """Return the ids of a text with one in each line, in order and each once."""
    return _once(text.splitlines())


def from_file(content: bytes) -> list[str]:
    """Return the ids of an uploaded text or CSV file.

    With a head line the column that is named like an id counts, else the first column. Raises
    `ValueError` with words when it is no text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("The file is no text in UTF-8. Save it as CSV or text.") from error
    if "\0" in text:
        raise ValueError("The file is no text. Save it as CSV or text.")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in _HEADS if name in head), None)
    body = rows if column is None else rows[1:]
    return _once(row[column or 0] for row in body if len(row) > (column or 0))


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _once(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(name.strip() for name in names) if name]
