"""Segments that name segments: looked up in sets, refused when they lead back. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from core.errors import FieldError, InvalidPayloadError
from segments.rules.node import All, InSegment, Node, Not, Some
from segments.rules.parsing import count_nodes, mentioned_segments, walk

Rules = Mapping[str, Node]
# Of a rule together with all segments it leads to.
EXPANDED_LIMIT = 1_000
# How often in a row a segment may lead to another: each adds the levels of its own rule, and what
# compiles, evaluates and explains rules goes down level by level.
SEGMENTS_DEEP_LIMIT = 10


def resolve(rule: Node, load: Callable[[frozenset[str]], Rules], *, own: str | None = None) -> Node:
    """Return the rule with the rules of all segments it leads to.

    `load` returns the rules of those of the segments that exist; it is asked once for each level.
    `own` is the segment that the rule is of. Raises `InvalidPayloadError` that points at the node
    with a segment that does not exist, that leads back to itself, or that is too much together.
    """
    known, further = _load_all(rule, load)
    # How many follow each other is known by then, however far it would go on.
    faults = () if further else [one for node in walk(rule) for one in _faults(node, known, own)]
    if faults:
        raise InvalidPayloadError("The rule is not acceptable.", fields=tuple(faults))
    if further or _is_too_deep(rule, known):
        words = f"At most {SEGMENTS_DEEP_LIMIT} segments may lead to each other in a row."
        raise _refusal(rule, "rule_too_deep", words)
    if (count := _expanded(rule, known)) > EXPANDED_LIMIT:
        words = f"With the segments it names, the rule has {count} nodes; {EXPANDED_LIMIT} may be."
        raise _refusal(rule, "too_many_nodes", words)
    return _linked(rule, known)


def _refusal(rule: Node, code: str, words: str) -> InvalidPayloadError:
    first = next(node for node in walk(rule) if isinstance(node, InSegment))
    fault = FieldError(first.pointer, code, words)
    return InvalidPayloadError("The rule is not acceptable.", fields=(fault,))


def _load_all(rule: Node, load: Callable[[frozenset[str]], Rules]) -> tuple[Rules, frozenset[str]]:
    """Return the segments within the levels there may be, and those behind them."""
    known: dict[str, Node] = {}
    wanted = mentioned_segments(rule)
    for _ in range(SEGMENTS_DEEP_LIMIT):
        if not wanted:
            break
        found = load(wanted)
        known |= found
        wanted = _mentioned(found.values()).difference(known)
    return known, wanted


def _mentioned(rules: Iterable[Node]) -> frozenset[str]:
    return frozenset[str]().union(*map(mentioned_segments, rules))


def _faults(node: Node, known: Rules, own: str | None) -> list[FieldError]:
    if not isinstance(node, InSegment):
        return []
    pointer = f"{node.pointer}/segment"
    loop = _find_loop(node.segment, known, () if own is None else (own,))
    if loop:
        words = f"The segment leads back to itself: {' → '.join(loop)}."
        return [FieldError(pointer, "segment_cycle", words)]
    missing = sorted(_reached(node.segment, known) - known.keys())
    if missing:
        words = f"The app has no segment {', '.join(missing)}."
        return [FieldError(pointer, "unknown_segment", words)]
    return []


def _find_loop(name: str, known: Rules, way: tuple[str, ...]) -> tuple[str, ...]:
    """Return a way that leads back, found by depth; each segment is left only once.

    The way may be as long as there are segments, so nothing here calls itself.
    """
    done: set[str] = set()
    gone = list(way)
    ahead = [iter([name])]
    while ahead:
        following = next(ahead[-1], None)
        if following is None:
            ahead.pop()
            done.update([gone.pop()] if ahead else ())
        elif following in gone:
            return (*gone[gone.index(following) :], following)
        elif following not in done and following in known:
            gone.append(following)
            ahead.append(iter(sorted(mentioned_segments(known[following]))))
    return ()


def _reached(name: str, known: Rules) -> set[str]:
    reached: set[str] = set()
    waiting = {name}
    while waiting:
        one = waiting.pop()
        reached.add(one)
        waiting |= mentioned_segments(known[one]) - reached if one in known else frozenset()
    return reached


def _is_too_deep(rule: Node, known: Rules) -> bool:
    """Tell whether segments lead to segments too often in a row; none may lead back to itself."""
    level = mentioned_segments(rule)
    for _ in range(SEGMENTS_DEEP_LIMIT):
        level = _mentioned(known[name] for name in level)
    return bool(level)


def _expanded(rule: Node, known: Rules) -> int:
    sizes: dict[str, int] = {}

    def size(node: Node) -> int:
        return count_nodes(node) + sum(
            of_segment(one.segment) for one in walk(node) if isinstance(one, InSegment)
        )

    def of_segment(name: str) -> int:
        if name not in sizes:
            sizes[name] = size(known[name])
        return sizes[name]

    return size(rule)


def _linked(node: Node, known: Rules) -> Node:
    match node:
        case InSegment():
            return replace(node, rule=_linked(known[node.segment], known))
        case All() | Some():
            return replace(node, of=tuple(_linked(one, known) for one in node.of))
        case Not():
            return replace(node, of=_linked(node.of, known))
        case _:
            return node
