"""Segments, and what their rules are built of, as the console sees them: typed calls over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.answers import Page, Person, checked, read, read_page
from console.line import Line, path_to
from console.segment_answers import (
    Attribute,
    Finding,
    Reach,
    Segment,
    StaticList,
    read_attribute,
    read_finding,
    read_reach,
    read_segment,
)

# The API stops a rule before that, and says so.
_RULE_SECONDS = 30.0
_SEGMENTS = "/v1/segments"
Json = Mapping[str, Any]


class SegmentClient:
    """One person's view of the app's segments. Every call raises `ApiError`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list_segments(self) -> Sequence[Segment]:
        """Return all segments, in the order they were made."""
        found: list[Segment] = []
        cursor: str | None = None
        while True:
            page = read_page(self._line.get(_SEGMENTS, limit=200, cursor=cursor), read_segment)
            found += page.data
            cursor = page.next_cursor
            if cursor is None:
                return found

    def read(self, segment_id: str) -> Segment:
        """Return one segment, with the tag that guards a change of it."""
        answer, tag = self._line.get_tagged(path_to("segments", segment_id))
        return read_segment(answer, tag)

    def create(self, segment: Json, once: str) -> Segment:
        """Make a segment; the same `once` again makes no other."""
        return read_segment(self._line.post(_SEGMENTS, segment, once=once))

    def change(self, segment_id: str, segment: Json, tag: str) -> Segment:
        """Make the next version of a segment, if it is still as it was read."""
        path = path_to("segments", segment_id)
        return read_segment(self._line.put(path, segment, match=tag))

    def delete(self, segment_id: str) -> None:
        """Delete a segment."""
        self._line.delete(path_to("segments", segment_id))

    def is_watched(self, segment_id: str) -> bool:
        """Tell whether it is told who enters and leaves a segment."""
        answer = self._line.get(path_to("segments", segment_id, "watch"))
        return checked(lambda: bool(answer["watched"]))

    def watch(self, segment_id: str, *, is_wanted: bool) -> None:
        """Have it told who enters and leaves a segment, or no longer."""
        path = path_to("segments", segment_id, "watch")
        if is_wanted:
            self._line.put(path, None)
        else:
            self._line.delete(path)

    def count(self, rule: Json) -> Reach:
        """Count whom a rule means, and how many of them can be reached."""
        return read_reach(self._ask("count", {"rule": rule}))

    def sample(self, rule: Json) -> Sequence[Person]:
        """Return some of the people a rule means."""
        answer = self._ask("sample", {"rule": rule})
        return checked(lambda: [read(Person, one) for one in answer["data"]])

    def explain(self, rule: Json, person: str) -> Finding:
        """Return whether a rule means a person, and why."""
        answer = self._ask("explain", {"rule": rule, "person": person})
        return checked(lambda: read_finding(answer["finding"]))

    def _ask(self, what: str, body: Json) -> Any:
        return self._line.post(f"{_SEGMENTS}/{what}", body, timeout_seconds=_RULE_SECONDS)

    def list_attributes(self) -> Page[Attribute]:
        """Return the attributes people have."""
        return read_page(self._line.get("/v1/attributes", limit=200), read_attribute)

    def list_event_names(self) -> Sequence[str]:
        """Return the first names that events have."""
        answer = self._line.get("/v1/event-names", limit=200)
        return checked(lambda: [str(one["name"]) for one in answer["data"]])

    def list_lists(self) -> Page[StaticList]:
        """Return the static lists."""
        answer = self._line.get("/v1/lists", limit=200)
        return read_page(answer, lambda one: read(StaticList, one))
