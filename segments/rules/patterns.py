"""A regular expression of a rule: its text for PostgreSQL, and a matcher of our own. Pure.

The matcher follows all readings of a text at once, one bit for each character of the pattern
(Glushkov's automaton), so its work is bounded by the length of both and never explodes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from segments.rules.pattern_syntax import (
    Branch,
    Characters,
    Choice,
    Part,
    Repeat,
    Sequence,
    parse_pattern,
)

# A longer text never matches, in both engines.
LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression by its text, which was read before without an error."""

    text: str

    def matches(self, text: str) -> bool:
        """Tell whether the pattern is found in a text."""
        return len(text) <= LONGEST_TEXT and _automaton(self.text).runs(text)

    @property
    def postgresql(self) -> str:
        """The same pattern as PostgreSQL writes it: a choice of plain groups."""
        return "|".join(map(_branch_text, parse_pattern(self.text)))


def read_pattern(text: str) -> Pattern:
    """Return a pattern; raise `ValueError` in words."""
    parse_pattern(text)
    return Pattern(text)


def _branch_text(branch: Branch) -> str:
    start, end = "^" if branch.at_start else "", "$" if branch.at_end else ""
    return f"{start}(?:{_part_text(branch.part)}){end}" if branch.part.parts else f"{start}{end}"


def _part_text(part: Part) -> str:
    match part:
        case Characters():
            return _characters_text(part)
        case Sequence():
            return "".join(map(_part_text, part.parts))
        case Choice():
            return f"(?:{'|'.join(map(_part_text, part.parts))})"
        case Repeat():
            most = "" if part.most is None else part.most
            return f"(?:{_part_text(part.part)}){{{part.least},{most}}}"


def _characters_text(part: Characters) -> str:
    if not part.ranges:
        return "."
    inside = "".join(
        _code_text(low) if low == high else f"{_code_text(low)}-{_code_text(high)}"
        for low, high in part.ranges
    )
    return f"[{'^' if part.negated else ''}{inside}]"


def _code_text(code: int) -> str:
    character = chr(code)
    # Escaped by number, nothing has a second meaning anywhere.
    return character if character.isascii() and character.isalnum() else f"\\U{code:08x}"


@lru_cache(maxsize=64)
def _automaton(text: str) -> "_Automaton":
    automaton = _Automaton()
    for branch in parse_pattern(text):
        automaton.add(branch)
    return automaton


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a part begins and ends with, as bits, and whether it may be nothing."""

    first: int
    last: int
    is_empty: bool


_NOTHING = _Piece(0, 0, is_empty=True)


class _Automaton:
    """One bit for each character of the written-out pattern."""

    def __init__(self) -> None:
        self._sets: list[Characters] = []
        self._follow: list[int] = []
        self._first = self._first_at_start = 0
        self._last = self._last_at_end = 0
        self._always = self._if_empty = False
        self._meant: dict[str, int] = {}
        self._moves: dict[tuple[int, str], int] = {}

    def add(self, branch: Branch) -> None:
        piece = self._build(branch.part)
        if branch.at_start:
            self._first_at_start |= piece.first
        else:
            self._first |= piece.first
        if branch.at_end:
            self._last_at_end |= piece.last
        else:
            self._last |= piece.last
        if piece.is_empty:
            # Found at the very start or end of any text, unless it must be both.
            both = branch.at_start and branch.at_end
            self._always |= not both
            self._if_empty |= both

    def runs(self, text: str) -> bool:
        if self._always or (self._if_empty and not text):
            return True
        state = 0
        starts = self._first | self._first_at_start
        for character in text:
            state = (self._move(state, character)) | (starts & self._means(character))
            starts = self._first
            if state & self._last:
                return True
        return bool(state & self._last_at_end)

    def _move(self, state: int, character: str) -> int:
        if not state:
            return 0
        found = self._moves.get((state, character))
        if found is None:
            reached = 0
            for bit in _bits(state):
                reached |= self._follow[bit]
            found = reached & self._means(character)
            if len(self._moves) < _MOST_MOVES:
                self._moves[state, character] = found
        return found

    def _means(self, character: str) -> int:
        found = self._meant.get(character)
        if found is None:
            code = ord(character)
            found = sum(1 << bit for bit, one in enumerate(self._sets) if one.holds(code))
            if len(self._meant) < _MOST_MOVES:
                self._meant[character] = found
        return found

    def _build(self, part: Part) -> _Piece:
        match part:
            case Characters():
                self._sets.append(part)
                self._follow.append(0)
                bit = 1 << (len(self._sets) - 1)
                return _Piece(bit, bit, is_empty=False)
            case Sequence():
                return self._chain(map(self._build, part.parts))
            case Choice():
                pieces = [self._build(one) for one in part.parts]
                return _Piece(
                    _union(piece.first for piece in pieces),
                    _union(piece.last for piece in pieces),
                    is_empty=any(piece.is_empty for piece in pieces),
                )
            case Repeat():
                return self._chain(self._rounds(part))

    def _rounds(self, part: Repeat) -> Iterable[_Piece]:
        count = part.most or max(part.least, 1)
        for number in range(count):
            piece = self._build(part.part)
            if part.most is None and number == count - 1:
                self._link(piece.last, piece.first)
            yield _Piece(piece.first, piece.last, piece.is_empty or number >= part.least)

    def _chain(self, pieces: Iterable[_Piece]) -> _Piece:
        whole = _NOTHING
        for piece in pieces:
            self._link(whole.last, piece.first)
            whole = _Piece(
                whole.first | (piece.first if whole.is_empty else 0),
                piece.last | (whole.last if piece.is_empty else 0),
                whole.is_empty and piece.is_empty,
            )
        return whole

    def _link(self, last: int, first: int) -> None:
        for bit in _bits(last):
            self._follow[bit] |= first


_MOST_MOVES = 10_000


def _union(masks: Iterable[int]) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
