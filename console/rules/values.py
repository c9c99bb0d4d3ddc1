"""Values of conditions: of which kind they are, and what becomes of what was typed. Pure."""

import math
import re
from typing import Any

from console.rules import choices

_LENGTH = re.compile(r"(\d{1,6}) (minute|hour|day|week|month|year)s?")
_LONGEST = 100_000


def kind_of(value: Any) -> str | None:
    """Return whether a value is a text, a number or a truth; None for anything else."""
    if isinstance(value, bool):
        return choices.TRUTH
    if isinstance(value, int | float):
        return choices.NUMBER
    return choices.TEXT if isinstance(value, str) else None


def whole(number: float) -> int | float:
    """Return a number without its fraction if that is nothing."""
    return int(number) if float(number).is_integer() else number


def number_or(value: Any, other: float) -> float:
    """Return a value as a number, or the other one if it is none."""
    return float(value) if kind_of(value) == choices.NUMBER else other


def pair_of(value: Any) -> tuple[Any, Any]:
    """Return both ends of a range; None where there is none yet."""
    if isinstance(value, list) and len(value) == 2:
        return value[0], value[1]
    return None, None


def texts_of(value: Any) -> list[str]:
    """Return the values of a list as they are shown and typed."""
    return [text_of(one) for one in value] if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return a value as it is shown and typed; nothing for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if kind_of(value) else ""


def typed(text: str, kind: str) -> Any:
    """Return what was typed as a value of a kind; the text itself if it is none of it."""
    if kind == choices.TRUTH:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if kind == choices.NUMBER:
        try:
            number = float(text)
        except ValueError:
            return text
        return whole(number) if math.isfinite(number) else text
    return text


def length_of(window: Any) -> tuple[int, str] | None:
    """Return the number and the unit of a window such as `{"last": "30 days"}`, else None."""
    last = window.get("last") if isinstance(window, dict) and window.keys() == {"last"} else None
    found = _LENGTH.fullmatch(last) if isinstance(last, str) else None
    return (min(int(found[1]), _LONGEST), f"{found[2]}s") if found else None
