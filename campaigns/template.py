"""Templates of a message: Jinja2 in a sandbox, compiled once, rendered per person. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

# A rendered text longer than this can not fit any gateway's limit.
MAX_RENDERED_CHARACTERS = 8_192
_MAX_RANGE = 1_000
_MAX_REPEAT = 10_000


class SkipRecipient(Exception):  # noqa: N818 (a wish of the template's author, not an error)
    """The template decided that this person gets nothing; the argument says why."""


class RenderError(Exception):
    """A text can not be rendered for this person; the argument says why, for people."""


class _Sandbox(SandboxedEnvironment):
    """Refuses what could take unbounded time or memory beside what Jinja2's sandbox refuses."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply, unless that would repeat a text or blow up a number."""
        if operator == "**":
            raise RenderError("powers are not available in templates")
        for one, other in ((left, right), (right, left)):
            repeats = isinstance(one, (str, list, tuple)) and isinstance(other, int)
            if repeats and len(one) * other > _MAX_REPEAT:
                raise RenderError(f"a repetition is longer than {_MAX_REPEAT}")
        return super().call_binop(context, operator, left, right)


def _range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > _MAX_RANGE:
        raise RenderError(f"a range is longer than {_MAX_RANGE}")
    return made


def _skip(reason: str = "") -> str:
    raise SkipRecipient(reason)


def _environment() -> SandboxedEnvironment:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, cache_size=0)
    environment.globals.clear()
    environment.globals.update(range=_range, skip=_skip)
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=2_048)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def is_personal(source: str) -> bool:
    """Tell whether `source` has anything to render."""
    return "{" in source and ("{{" in source or "{%" in source or "{#" in source)


def syntax_error(source: str) -> str | None:
    """Return what is wrong with the template text, None when nothing is."""
    try:
        _compiled(source)
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    except (TemplateError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None


def render(source: str, values: Mapping[str, Any]) -> str:
    """Render `source`; raise `RenderError` when a value is missing or anything fails.

    Raises `SkipRecipient` when the template calls `skip("reason")`.
    """
    if not is_personal(source):
        return source
    try:
        rendered = _compiled(source).render(values)
    except (SkipRecipient, RenderError):
        raise
    except TemplateError as error:
        raise RenderError(error.message or type(error).__name__) from error
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # Templates work on whatever attributes a person has: dirty values end this person only.
        raise RenderError(f"{type(error).__name__}: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise RenderError("the template needs too much memory") from error
    if len(rendered) > MAX_RENDERED_CHARACTERS:
        raise RenderError(f"a text is longer than {MAX_RENDERED_CHARACTERS} characters")
    return rendered
