"""Segments: made, changed and deleted so that every one can be answered; rules read for use."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from core.errors import FieldError, InvalidPayloadError
from core.ids import new_public_id
from delivery.messages.repository import uncut_for
from segments.attributes.repository import list_names
from segments.definitions import repository
from segments.definitions.errors import (
    SegmentInUseError,
    SegmentNotFoundError,
    TooManySegmentsError,
)
from segments.definitions.segment import SEGMENTS_LIMIT, NewSegment, Segment
from segments.rules.canonical import rule_hash
from segments.rules.mentions import Warned, find_warnings
from segments.rules.node import InSegment, Node, OnList
from segments.rules.parsing import mentioned_lists, mentioned_segments, parse_rule, walk
from segments.rules.references import Rules, resolve

POINTER = "/rule"


def read_rule(
    connection: Connection,
    app_id: int,
    document: Any,
    *,
    own: str | None = None,
    pointer: str = POINTER,
) -> Node:
    """Return a rule with those of all segments it leads to.

    `own` is the segment it is of. Raises `InvalidPayloadError` that points at each mistake.
    """
    return resolve(parse_rule(document, pointer), _loader(connection, app_id), own=own)


def _loader(connection: Connection, app_id: int) -> Callable[[frozenset[str]], Rules]:
    def load(names: frozenset[str]) -> Rules:
        found = repository.load_rules(connection, app_id, names)
        return {name: parse_rule(document) for name, document in found.items()}

    return load


def rule_of(connection: Connection, app_id: int, public_id: str) -> Node:
    """Return the rule of a segment; raises `SegmentNotFoundError`."""
    return read_rule(connection, app_id, get(connection, app_id, public_id).rule, own=public_id)


def as_rule(connection: Connection, app_id: int, public_id: str, pointer: str) -> Node:
    """Return a rule that holds for those in a segment, which `pointer` and `/segment` name.

    Raises `InvalidPayloadError` that points there when there is no such segment.
    """
    return resolve(InSegment(segment=public_id, pointer=pointer), _loader(connection, app_id))


def hold(connection: Connection, app_id: int, public_id: str, pointer: str) -> None:
    """Have a segment there, and fit to be asked, until the transaction ends.

    Raises as `as_rule` does.
    """
    repository.hold(connection, app_id, public_id)
    as_rule(connection, app_id, public_id, pointer)


def get(connection: Connection, app_id: int, public_id: str) -> Segment:
    """Return a segment; raises `SegmentNotFoundError`."""
    found = repository.find(connection, app_id, public_id)
    if found is None:
        raise SegmentNotFoundError
    return found


def create(connection: Connection, app_id: int, new: NewSegment, created_by: str) -> Segment:
    """Store a new segment. Raises `InvalidPayloadError` for a rule that can not be answered."""
    repository.lock(connection, app_id)
    if repository.count(connection, app_id) >= SEGMENTS_LIMIT:
        raise TooManySegmentsError(f"An app may have {SEGMENTS_LIMIT} segments.")
    rule = read_rule(connection, app_id, new.rule)
    values = repository.columns_of(new, rule_hash(rule), mentioned_segments(rule), created_by)
    return repository.insert(connection, app_id, new_public_id("seg"), **values)


def change(
    connection: Connection, app_id: int, present: Segment, new: NewSegment, created_by: str
) -> Segment:
    """Store a new version of a segment, if anything is different; `lock` must have been called.

    Raises `InvalidPayloadError` also for a rule with which another segment could not be answered.
    """
    rule = read_rule(connection, app_id, new.rule, own=present.public_id)
    same = (present.name, present.description, present.rule)
    if same == (new.name, new.description, new.rule):
        return present
    values = repository.columns_of(new, rule_hash(rule), mentioned_segments(rule), created_by)
    changed = repository.update(connection, app_id, present.id, **values)
    for other in repository.leading_to(connection, app_id, present.public_id):
        _check_other(connection, app_id, other)
    return changed


def _check_other(connection: Connection, app_id: int, public_id: str) -> None:
    try:
        rule_of(connection, app_id, public_id)
    except InvalidPayloadError as error:
        faults = tuple(
            FieldError(POINTER, one.code, f"It leads to this one from {public_id}. {one.message}")
            for one in error.fields
        )
        raise InvalidPayloadError(
            f"The segment {public_id}, which leads to this one, could not be answered any more.",
            fields=faults,
        ) from error


def delete(connection: Connection, app_id: int, present: Segment) -> None:
    """Remove a segment that nothing names; raises `SegmentInUseError`."""
    # A message that is being accepted holds it: what is looked at next sees that message.
    repository.hold(connection, app_id, present.public_id, to_delete=True)
    naming = repository.naming(connection, app_id, present.public_id)
    if naming:
        raise SegmentInUseError(f"Other segments name it: {', '.join(naming)}.")
    named = {"segment": present.public_id}
    messages = uncut_for(connection, app_id, [named, {"exclude": named}])
    if messages:
        raise SegmentInUseError(f"Messages that are not cut yet name it: {', '.join(messages)}.")
    repository.delete(connection, app_id, present.id)


def warnings(
    connection: Connection, app_id: int, documents: Iterable[Mapping[str, Any]]
) -> list[Sequence[Warned]]:
    """Return, for each of the rules, what in it nobody can meet. Pointers begin with `/rule`.

    What is said of the segments a rule names is said there.
    """
    rules = [_parse_stored(document) for document in documents]
    attributes = frozenset(list_names(connection, app_id))
    events = frozenset(repository.known_events(connection, app_id))
    named = frozenset[str]().union(*map(mentioned_lists, rules))
    lists = repository.known_lists(connection, app_id, named) if named else set[str]()
    return [
        (*find_warnings(rule, attributes, events), *_unknown_lists(rule, lists)) for rule in rules
    ]


def _parse_stored(document: Mapping[str, Any]) -> Node:
    try:
        return parse_rule(document, POINTER)
    except InvalidPayloadError as error:
        raise ValueError("a rule that was stored can not be read any more") from error


def _unknown_lists(rule: Node, known: set[str]) -> list[Warned]:
    return [
        Warned(one.pointer, "unknown_list", f"The app has no list {one.list}.")
        for one in walk(rule)
        if isinstance(one, OnList) and one.list not in known
    ]
