"""Watched segments: who enters and leaves, told exactly once. See docs/why/triggers.md."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection

from core.clock import utc_now
from core.errors import CarillonError
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind
from segments.definitions.errors import TooManyWatchedError
from segments.definitions.service import rule_of
from segments.rules.evaluate import evaluate
from segments.rules.mentions import find_mentions
from segments.rules.moments import Clock
from segments.rules.node import Node
from segments.rules.repository import TooMuchDoneError, read_facts
from segments.rules.sql.sources import Scope
from segments.rules.timing import asking
from segments.watching import repository
from segments.watching.repository import Changes

AT_ONCE = 500
WATCHED_LIMIT = 100
# Of all people of a turn together; when they did more, of one person.
MOST_EVENTS = 20_000
MOST_OF_ONE = 2_000


def watch(connection: Connection, app_id: int, segment_id: int, public_id: str) -> None:
    """Watch a segment from its first comparison on; `definitions.lock` must have been called.

    Raises `TooManyWatchedError`: each is asked of everybody, again and again.
    """
    if len(repository.watched(connection, app_id)) >= WATCHED_LIMIT:
        raise TooManyWatchedError(f"An app may watch {WATCHED_LIMIT} segments.")
    if repository.watch(connection, app_id, segment_id):
        _mention(connection, app_id, segment_id, rule_of(connection, app_id, public_id))


def renew_mentions(connection: Connection, app_id: int) -> None:
    """Note anew what watched segments read, after a rule changed: others may lead to it.

    They are compared as a whole soon, since everybody may have changed sides.
    """
    for public_id, segment_id in repository.watched(connection, app_id).items():
        _mention(connection, app_id, segment_id, rule_of(connection, app_id, public_id))
    repository.hurry(connection, app_id)


def _mention(connection: Connection, app_id: int, segment_id: int, rule: Node) -> None:
    repository.set_mentions(connection, app_id, segment_id, _read_by(rule))


def _read_by(rule: Node) -> Iterator[tuple[str, str]]:
    mentions = find_mentions(rule)
    if mentions.rankings:
        # These rank everybody: only a comparison of all tells who changed sides.
        return
    yield from (("event", name) for name in mentions.events)
    yield from (("attribute", path[0]) for path in mentions.attributes)
    yield from (("about", name) for name in mentions.about)


def settle(connection: Connection, app_id: int) -> int:
    """Settle the oldest doubts of an app in the caller's transaction; return how many people.

    Doubts of segments that somebody else is at, who compares one as a whole perhaps, stay.
    """
    repository.forget_doubts(connection, app_id)
    names = repository.lock_doubted(connection, app_id)
    doubts = repository.take_doubts(connection, app_id, names, AT_ONCE)
    for segment_id, people in doubts.items():
        rule = _readable(connection, app_id, names[segment_id])
        if rule is None or find_mentions(rule).rankings:
            continue
        changes = _look(connection, (app_id, segment_id), rule, people)
        _tell(connection, app_id, names[segment_id], changes)
    return sum(map(len, doubts.values()))


def _readable(connection: Connection, app_id: int, public_id: str) -> Node | None:
    """Return the rule of a segment; one that can not be read holds up none of the others.

    Its comparison fails as well, and says so.
    """
    try:
        return rule_of(connection, app_id, public_id)
    except CarillonError:
        return None


def _look(
    connection: Connection, segment: tuple[int, int], rule: Node, people: Iterable[int]
) -> Changes:
    app_id, segment_id = segment
    clock = Clock(utc_now())
    scope = Scope(app_id, clock)
    try:
        facts = read_facts(connection, rule, scope, sorted(people), most_events=MOST_EVENTS)
    except TooMuchDoneError:
        names = find_mentions(rule).events
        busy = repository.busy_among(connection, app_id, people, names, MOST_OF_ONE)
        # The next comparison looks at these: nobody else waits until all they did is read.
        people = set(people) - busy
        facts = read_facts(connection, rule, scope, sorted(people))
    present = {one for one, known in facts.items() if evaluate(rule, known, clock)}
    before = repository.members_among(connection, app_id, segment_id, people)
    changes = Changes(sorted(present - before), sorted(before - present))
    return repository.change(connection, app_id, segment_id, changes)


def compare(
    connection: Connection, app_id: int, segment: tuple[int, str], seconds: float
) -> Changes | None:
    """Compare one segment as a whole in the caller's transaction; None when somebody is at it.

    `segment` is its inner and its public id. The first time nothing is told. Raises
    `RuleTimeoutError` when the rule takes longer than `seconds`.
    """
    segment_id, public_id = segment
    if not repository.try_lock(connection, segment_id):
        return None
    seen = repository.last_compared(connection, app_id, segment_id)
    if seen is None:
        return None
    rule = rule_of(connection, app_id, public_id)
    with asking(connection, seconds):
        changes = repository.compare(connection, segment_id, rule, Scope(app_id, Clock(utc_now())))
    if seen[0] is not None:
        _tell(connection, app_id, public_id, changes)
    repository.mark_compared(connection, app_id, segment_id, seen[0])
    return changes


def _tell(connection: Connection, app_id: int, public_id: str, changes: Changes) -> None:
    told: Mapping[Kind, Iterable[int]] = {
        Kind.SEGMENT_ENTERED: changes.entered,
        Kind.SEGMENT_LEFT: changes.left,
    }
    for kind, people in told.items():
        facts = [{"segment": public_id, "person_id": one} for one in people]
        if facts:
            outbox.put(connection, app_id, kind, "members", facts)
