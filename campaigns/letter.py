"""The content of a message, made ready to be written for many recipients. Pure.

What a recipient gets is what `content.render_content` gives; it only takes less time. Simple
templates are plain functions, and of the others each text is kept by the facts it was made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from campaigns.bounds import BUDGET, OneEffort, RenderError, spent
from campaigns.content import PLATFORMS, for_platform, personal_texts, render_content, with_blanks
from campaigns.facts import Facts, Layout, Uses, find_uses
from campaigns.sandbox import SkipRecipient
from campaigns.simple import Simple, compile_simple
from campaigns.template import MAX_RENDERED_CHARACTERS, parse_template, render
from delivery.engine.ports import Skipped
from delivery.push import Rendered
from delivery.states import SuppressedReason

# What is kept of one text together, and of one recipient at most.
_MOST_CHARACTERS = 131_072
_LONG = 4_096
_OVERHEAD = 300


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one text, and what it cost."""

    cost: int
    text: str = ""
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """A template of a field such as `title` or `data.link`; a broken one has no tree."""

    name: str
    text: str
    tree: nodes.Template | None
    uses: Uses

    @classmethod
    def read(cls, name: str, text: str) -> "_Source":
        tree = parse_template(text)
        return cls(name, text, tree, Uses() if tree is None else find_uses(tree))


class _Text:
    """One personal text of a message."""

    __slots__ = ("_kept", "_layout", "_places", "_room", "_source", "simple")

    def __init__(self, source: _Source, layout: Layout, *, may_be_simple: bool = True) -> None:
        self._source, self._layout = source, layout
        self._places = layout.places(source.uses)
        self._kept: dict[tuple[str | None, ...], _Done] = {}
        self._room = _MOST_CHARACTERS
        self.simple: Simple | None = None
        if may_be_simple and source.tree is not None:
            self.simple = compile_simple(source.tree, layout, MAX_RENDERED_CHARACTERS)

    def by_jinja(self, facts: Facts) -> _Done:
        """Return what Jinja2 makes of the facts, or made of the same before."""
        key = tuple([facts[at] for at in self._places])
        done = self._kept.get(key)
        if done is None:
            done = self._render(facts)
            self._keep(key, done)
        return done

    def _render(self, facts: Facts) -> _Done:
        with OneEffort():
            try:
                values = self._layout.values(self._source.uses, facts)
                text = render(self._source.text, values)
            except SkipRecipient as wish:
                return _Done(spent(), skipped=_skipped_by(wish))
            except RenderError as error:
                words = f"{self._source.name}: {error}"
                return _Done(spent(), skipped=_broken(words))
            return _Done(spent(), text)

    def _keep(self, key: tuple[str | None, ...], done: _Done) -> None:
        size = _OVERHEAD + len(done.text) + sum(len(part) for part in key if part)
        if size > _LONG:
            return
        self._room -= size
        if self._room < 0:
            self._kept.clear()
            self._room = _MOST_CHARACTERS - size
        self._kept[key] = done


class _Shared:
    """The texts of a message: a field without overrides is one text for all platforms."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._texts: dict[tuple[str, str, bool], _Text] = {}

    def text(self, source: _Source, *, may_be_simple: bool = True) -> _Text:
        key = source.name, source.text, may_be_simple
        if key not in self._texts:
            self._texts[key] = _Text(source, self.layout, may_be_simple=may_be_simple)
        return self._texts[key]


class Letter:
    """What the recipients on one platform get."""

    def __init__(
        self, content: Mapping[str, Any], sources: Sequence[_Source], shared: "_Shared"
    ) -> None:
        self._content, self._layout, self._sources = content, shared.layout, sources
        self._notification = with_blanks(content)
        self._texts = [shared.text(source) for source in sources]
        self._cost = sum(text.simple.cost for text in self._texts if text.simple)
        if self._cost > BUDGET // 2:
            # What simple templates cost is counted high; here it takes an exact count.
            self._cost = 0
            self._texts = [shared.text(source, may_be_simple=False) for source in sources]

    def write(self, facts: Facts) -> Rendered | Skipped:
        """Return what the recipient with these facts gets, or why it gets nothing."""
        cost, texts = self._cost, []
        for one in self._texts:
            text = None if one.simple is None else one.simple.render(facts)
            if text is None:
                done = one.by_jinja(facts)
                cost += done.cost
                if cost > BUDGET:
                    return self._write_alone(facts)
                if done.skipped is not None:
                    return done.skipped
                text = done.text
            texts.append(text)
        return self._notification, tuple(texts)

    def _write_alone(self, facts: Facts) -> Rendered | Skipped:
        """Let all texts pay from one budget, one after the other."""
        values = self._layout.values(Uses.of(source.uses for source in self._sources), facts)
        try:
            return render_content(self._content, values), ()
        except SkipRecipient as wish:
            return _skipped_by(wish)
        except RenderError as error:
            return _broken(str(error))


class Book:
    """The letters of one message, by platform, and the layout of the facts they need."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        contents = {platform: for_platform(content, platform) for platform in (*PLATFORMS, "")}
        sources = {
            platform: [_Source.read(name, text) for name, text in personal_texts(one)]
            for platform, one in contents.items()
        }
        self.layout = Layout.of(source.uses for listed in sources.values() for source in listed)
        shared = _Shared(self.layout)
        self._letters = {
            platform: Letter(one, sources[platform], shared) for platform, one in contents.items()
        }

    def letter(self, platform: str) -> Letter:
        """Return the letter for a platform; an unknown one gets the common content."""
        return self._letters.get(platform) or self._letters[""]


def _skipped_by(wish: SkipRecipient) -> Skipped:
    return Skipped(SuppressedReason.SKIPPED_BY_TEMPLATE.value, str(wish))


def _broken(words: str) -> Skipped:
    return Skipped(SuppressedReason.RENDER_ERROR.value, words)
