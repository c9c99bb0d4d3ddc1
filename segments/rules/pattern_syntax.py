"""The regular expressions of rules: what PostgreSQL and Python mean alike, and nothing else. Pure.

Read into a small tree, from which the pattern for PostgreSQL is written and our own matcher is
made. Neither goes back and tries again, so no pattern and no text can keep them busy.
"""

import re
from dataclasses import dataclass

MOST_CHARACTERS = 500
MOST_POSITIONS = 500
_MOST_REPEATS = 255
# PostgreSQL goes through all ways to leave such parts out: 255 of them took it three seconds.
_MOST_OF_NOTHING = 100
_MOST_NESTING = 20
_DIGIT = ((0x30, 0x39),)
_WORD = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE = ((0x09, 0x0D), (0x20, 0x20))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_BOUNDS = re.compile(r"\{(\d{1,3})(,(\d{1,3})?)?\}", re.ASCII)
_SPECIAL = frozenset("*+?{}[]()|^$.\\")
_SIMPLE = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of these ranges, or of none of them."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False

    def holds(self, code: int) -> bool:
        """Tell whether a code point is meant."""
        return any(low <= code <= high for low, high in self.ranges) is not self.negated


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part behind the other."""

    parts: "tuple[Part, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    parts: "tuple[Part, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part again and again; None has no end."""

    part: "Part"
    least: int
    most: int | None


Part = Characters | Sequence | Choice | Repeat


@dataclass(frozen=True, slots=True)
class Branch:
    """An alternative of the whole pattern, which may be tied to the start and the end."""

    part: Sequence
    at_start: bool
    at_end: bool


class PatternError(ValueError):
    """The pattern is not of the common dialect; the message says what, and where."""


def parse_pattern(text: str) -> tuple[Branch, ...]:
    """Return the alternatives of a pattern; raise `PatternError`."""
    if not text or len(text) > MOST_CHARACTERS:
        raise PatternError(f"must have 1 to {MOST_CHARACTERS} characters")
    branches = _Reader(text).branches()
    if sum(positions(branch.part) for branch in branches) > MOST_POSITIONS:
        raise PatternError(f"repeats too much: together, more than {MOST_POSITIONS} characters")
    if sum(_repeated_nothing(branch.part) for branch in branches) > _MOST_OF_NOTHING:
        raise PatternError("repeats too often what may be left out; say so once, around it")
    return branches


def _others(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return all characters that are in none of some sorted ranges. There is no character 0."""
    starts = [1, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), 0x10FFFF]
    return tuple(zip(starts, ends, strict=True))


def positions(part: Part) -> int:
    """Return how many characters a part names when its repetitions are written out."""
    match part:
        case Characters():
            return 1
        case Repeat():
            return positions(part.part) * max(part.most or 0, part.least, 1)
        case _:
            return sum(map(positions, part.parts))


def _may_be_nothing(part: Part) -> bool:
    match part:
        case Characters():
            return False
        case Repeat():
            return part.least == 0 or _may_be_nothing(part.part)
        case Sequence():
            return all(map(_may_be_nothing, part.parts))
        case Choice():
            return any(map(_may_be_nothing, part.parts))


def _repeated_nothing(part: Part) -> int:
    """Return how many characters stand in repetitions of what may be nothing by itself."""
    match part:
        case Characters():
            return 0
        case Repeat():
            rounds = max(part.most or 0, part.least, 1)
            if rounds > 1 and _may_be_nothing(part.part):
                return positions(part)
            return rounds * _repeated_nothing(part.part)
        case _:
            return sum(map(_repeated_nothing, part.parts))


class _Reader:
    """Reads from the left to the right; `_at` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def branches(self) -> tuple[Branch, ...]:
        found = [self._branch()]
        while self._take("|"):
            found.append(self._branch())
        if self._peek():
            raise self._wrong("has a ) without its (")
        return tuple(found)

    def _branch(self) -> Branch:
        at_start = self._take("^")
        part = self._sequence(is_outer=True)
        at_end = self._take("$")
        if not part.parts and not (at_start or at_end):
            raise self._wrong("has an empty alternative")
        if self._peek() not in {"", "|", ")"}:
            raise self._wrong("may have $ only at the end of an alternative")
        return Branch(part, at_start, at_end)

    def _sequence(self, *, is_outer: bool) -> Sequence:
        parts: list[Part] = []
        while (ahead := self._peek()) not in {"", "|", ")"} and not (is_outer and ahead == "$"):
            parts.append(self._repeated())
        return Sequence(tuple(parts))

    def _repeated(self) -> Part:
        part = self._atom()
        bounds = self._bounds()
        if bounds is None:
            return part
        if self._peek() in {"*", "+", "?", "{"}:
            raise self._wrong("may repeat a part once; lazy and greedy are the same here")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._peek() in _SIMPLE:
            return _SIMPLE[self._next()]
        if self._peek() != "{":
            return None
        found = _BOUNDS.match(self._text, self._at)
        if found is None:
            raise self._wrong(r"has a { that begins no {m}, {m,} or {m,n}; write \{ for itself")
        least = int(found[1])
        open_end = found[2] is not None and found[3] is None
        most = None if open_end else int(found[3] or found[1])
        if max(least, most or 0) > _MOST_REPEATS or most == 0 or (most or least) < least:
            raise self._wrong(f"may repeat up to {_MOST_REPEATS} times, the smaller number first")
        self._at = found.end()
        return least, most

    def _atom(self) -> Part:
        character = self._next()
        match character:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return Characters((), negated=True)
            case "\\":
                return self._escape()
            case _ if character in _SPECIAL:
                self._at -= 1
                raise self._wrong(f"has a {character} where none can be; write \\{character}")
            case _:
                return Characters(((ord(character), ord(character)),))

    def _group(self) -> Part:
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._wrong("may have no (?…) but (?:…)")
            self._at += 2
        self._depth += 1
        if self._depth > _MOST_NESTING:
            raise self._wrong(f"may nest {_MOST_NESTING} groups")
        parts = [self._sequence(is_outer=False)]
        while self._take("|"):
            parts.append(self._sequence(is_outer=False))
        if not all(part.parts for part in parts):
            raise self._wrong("has an empty alternative")
        if not self._take(")"):
            raise self._wrong("has a ( without its )")
        self._depth -= 1
        return Choice(tuple(parts)) if len(parts) > 1 else parts[0]

    def _escape(self) -> Characters:
        character = self._next()
        kind = _CLASSES.get(character.lower()) if character else None
        if kind is not None:
            return Characters(kind, negated=character.isupper())
        code = ord(self._literal(character))
        return Characters(((code, code),))

    def _literal(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if not character or character.isalnum() or not character.isascii():
            raise self._wrong(f"has the escape \\{character}, which is not known here")
        return character

    def _class(self) -> Characters:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._member()
            if isinstance(low, tuple):
                ranges += low
                continue
            high: int | tuple[tuple[int, int], ...] = low
            if self._peek() == "-" and not self._text.startswith("-]", self._at):
                self._at += 1
                high = self._member()
            if isinstance(high, tuple) or high < low:
                raise self._wrong("has a range in [] that ends before it begins")
            ranges.append((low, high))
        if not ranges:
            raise self._wrong("has an empty []")
        return Characters(tuple(sorted(ranges)), negated)

    def _member(self) -> int | tuple[tuple[int, int], ...]:
        character = self._next()
        if not character:
            raise self._wrong("has a [ without its ]")
        if character == "[":
            raise self._wrong(r"has a [ inside of []; write \[")
        if character != "\\":
            return ord(character)
        escaped = self._next()
        kind = _CLASSES.get(escaped.lower()) if escaped else None
        if kind is None:
            return ord(self._literal(escaped))
        return _others(kind) if escaped.isupper() else kind

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _take(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found

    def _wrong(self, words: str) -> PatternError:
        return PatternError(f"{words} (at character {min(self._at, len(self._text)) + 1})")
