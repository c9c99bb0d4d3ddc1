"""The content of a message, stored as JSON, and its rendering for one person. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.bounds import OneEffort, RenderError
from campaigns.template import is_personal, render, syntax_error
from core.errors import FieldError
from delivery.push import DATA_BLANK, Notification

_TEXTS = ("title", "body", "subtitle", "image", "sound", "deep_link")
PLATFORMS = ("ios", "android", "web")
# Reading a template takes time, and no payload holds more than a few thousand characters.
_SOURCES_LIMIT = 65_536


def find_problems(content: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the templates of `content`, with pointers into it."""
    found = []
    sources = list(_sources(content, "/content"))
    size = sum(len(source) for _, source in sources if is_personal(source))
    if size > _SOURCES_LIMIT:
        words = f"Its templates have {size} characters together; {_SOURCES_LIMIT} are allowed."
        return [FieldError("/content", "too_long", words)]
    for pointer, source in sources:
        problem = syntax_error(source)
        if problem:
            found.append(FieldError(pointer, "template_syntax", problem))
    return found


def _sources(content: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    for name in _TEXTS:
        if content.get(name) is not None:
            yield f"{at}/{name}", content[name]
    for key, value in (content.get("data") or {}).items():
        escaped = key.replace("~", "~0").replace("/", "~1")
        yield f"{at}/data/{escaped}", value
    for platform in PLATFORMS:
        if content.get(platform):
            yield from _sources(content[platform], f"{at}/{platform}")


def for_platform(content: Mapping[str, Any], platform: str) -> dict[str, Any]:
    """Return `content` with the overrides of `platform` applied; data and extra are merged."""
    base = _alone(content)
    override = content.get(platform) or {}
    merged = {**base, **{key: value for key, value in override.items() if value is not None}}
    for name in ("data", "extra"):
        merged[name] = {**(base.get(name) or {}), **(override.get(name) or {})}
    return merged


def sources_of(content: Mapping[str, Any], platform: str) -> Iterator[tuple[str, str]]:
    """Yield pointer and template of each text that `platform` gets."""
    base, override = dict(_sources(_alone(content), "")), content.get(platform) or {}
    own = dict(_sources(override, ""))
    for name, source in {**base, **own}.items():
        yield f"/content/{platform}{name}" if name in own else f"/content{name}", source


def _alone(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in PLATFORMS}


def render_content(content: Mapping[str, Any], values: Mapping[str, Any]) -> Notification:
    """Render content that `for_platform` returned; raises as `template.render` does.

    All its texts share one budget of work.
    """
    with OneEffort():
        return _render_content(content, values)


def personal_texts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield field and template of what there is to render, in the order it is rendered."""
    fields = [(name, content.get(name)) for name in _TEXTS]
    fields += [(DATA_BLANK + key, source) for key, source in content["data"].items()]
    for name, source in fields:
        if source is not None and is_personal(source):
            yield name, source


def with_blanks(content: Mapping[str, Any]) -> Notification:
    """Return content that `for_platform` returned, with a blank for each personal text."""
    return Notification(
        **{name: content.get(name) for name in _TEXTS},
        badge=content.get("badge"),
        data=content["data"],
        extra=content["extra"],
        silent=bool(content.get("silent")),
        blanks=tuple(name for name, _ in personal_texts(content)),
    )


def _render_content(content: Mapping[str, Any], values: Mapping[str, Any]) -> Notification:
    texts: dict[str, Any] = {}
    for name in _TEXTS:
        source = content.get(name)
        texts[name] = None if source is None else _render_field(name, source, values)
    data = {
        key: _render_field(DATA_BLANK + key, source, values)
        for key, source in content["data"].items()
    }
    return Notification(
        **texts,
        badge=content.get("badge"),
        data=data,
        extra=content["extra"],
        silent=bool(content.get("silent")),
    )


def _render_field(name: str, source: str, values: Mapping[str, Any]) -> str:
    try:
        return render(source, values)
    except RenderError as error:
        raise RenderError(f"{name}: {error}") from error
