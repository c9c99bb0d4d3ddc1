"""Templates of a message: Jinja2 in a sandbox, compiled once, rendered per person. Pure."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes

from campaigns.bounds import OneEffort, RenderError, is_encodable
from campaigns.sandbox import Sandbox, SkipRecipient

__all__ = [
    "RenderError",
    "SkipRecipient",
    "is_personal",
    "parse_template",
    "render",
    "syntax_error",
]

# A rendered text longer than this can not fit any gateway's limit.
MAX_RENDERED_CHARACTERS = 8_192
_SHORT = 400
_ENVIRONMENT = Sandbox()
_UNREADABLE = (TemplateError, RecursionError, SyntaxError, MemoryError, ValueError)


def _compiled(source: str) -> Template:
    return _compiled_short(source) if len(source) <= _SHORT else _compiled_long(source)


# A compiled template takes some hundred times the memory of its text.
@lru_cache(maxsize=2_048)
def _compiled_short(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


@lru_cache(maxsize=64)
def _compiled_long(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def is_personal(source: str) -> bool:
    """Tell whether `source` has anything to render."""
    return "{" in source and ("{{" in source or "{%" in source or "{#" in source)


def parse_template(source: str) -> nodes.Template | None:
    """Return the tree of a template, None when something is wrong with it."""
    try:
        return _ENVIRONMENT.parse(source)
    except _UNREADABLE:
        return None


def syntax_error(source: str) -> str | None:
    """Return what is wrong with the template text, None when nothing is."""
    try:
        _compiled(source)
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    except _UNREADABLE as error:
        return str(error) or type(error).__name__
    return None


def render(source: str, values: Mapping[str, Any]) -> str:
    """Render `source`; raise `RenderError` when a value is missing or anything fails.

    Raises `SkipRecipient` when the template calls `skip("reason")`.
    """
    if not is_personal(source):
        return source
    try:
        with OneEffort():
            return _checked(_compiled(source).generate(values))
    except (SkipRecipient, RenderError):
        raise
    except TemplateError as error:
        raise RenderError(error.message or type(error).__name__) from error
    except Exception as error:
        # Templates work on whatever attributes a person has: whatever goes wrong, dirty values
        # and bad templates end this person only.
        raise RenderError(f"{type(error).__name__}: {error}"[:300]) from error


def _checked(pieces: Iterable[str]) -> str:
    """Put the pieces together; what is too long is not rendered to its end."""
    taken, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_RENDERED_CHARACTERS:
            raise RenderError(f"a text is longer than {MAX_RENDERED_CHARACTERS} characters")
        taken.append(piece)
    rendered = "".join(taken)
    if "\0" in rendered or not is_encodable(rendered):
        raise RenderError("a text holds a character that no gateway takes")
    return rendered
