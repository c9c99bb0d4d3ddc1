"""Watched segments while one of them is compared as a whole: nobody else waits, nothing is lost."""

import pytest
from sqlalchemy import text

from core.clock import utc_now
from segments.definitions.service import rule_of
from segments.rules.moments import Clock
from segments.rules.sql.sources import Scope
from segments.watching import repository as watches
from segments.watching import service as watching
from tests.api.doors import AppDoors, Doors
from tests.api.test_segment_watches import BUYERS, Town
from tests.api.test_segments import GOLD, make


@pytest.fixture
def town(doors: Doors, app: AppDoors) -> Town:
    return Town(doors, app)


def test_while_one_segment_is_compared_entries_of_the_others_do_not_wait(town: Town) -> None:
    buyers, gold = town.watch(BUYERS), town.watch(GOLD)
    with town.engine.connect() as connection:
        inner_id = connection.scalar(
            text("SELECT id FROM segment WHERE public_id = :id"), {"id": buyers}
        )
    town.app.add_person("ada", attributes={"plan": "gold"})
    town.does("ada", "purchase")

    with town.engine.begin() as comparing:
        assert watches.try_lock(comparing, inner_id)
        meanwhile = town.settled()
        kept = town.doubts()

    assert meanwhile == [("segment.entered", gold, "ada")]
    assert kept > 0
    assert town.settled() == [("segment.entered", buyers, "ada")]
    assert town.doubts() == 0


def test_what_commits_during_a_first_comparison_is_not_forgotten(town: Town) -> None:
    segment = make(town.app, GOLD)["id"]
    path = f"/v1/segments/{segment}/watch"
    town.app.client.put(path, headers=town.app.server).raise_for_status()
    town.app.add_person("ada", attributes={"plan": "free"})
    with town.engine.connect() as connection:
        inner_id = connection.scalar(
            text("SELECT id FROM segment WHERE public_id = :id"), {"id": segment}
        )

    with town.engine.begin() as comparing:
        watching.compare(comparing, town.app.inner_id, (inner_id, segment), 60)
        town.app.add_person("ada", attributes={"plan": "gold"})
        assert town.settled() == []

    assert town.settled() == [("segment.entered", segment, "ada")]


def test_segments_can_be_changed_while_one_is_compared_and_are_compared_anew(town: Town) -> None:
    buyers = town.watch(BUYERS)
    with town.engine.connect() as connection:
        inner_id = connection.scalar(
            text("SELECT id FROM segment WHERE public_id = :id"), {"id": buyers}
        )
    with town.engine.begin() as comparing:
        # What `watching.compare` does, but for its end.
        assert watches.try_lock(comparing, inner_id)
        seen = watches.last_compared(comparing, town.app.inner_id, inner_id)
        rule = rule_of(comparing, town.app.inner_id, buyers)
        scope = Scope(town.app.inner_id, Clock(utc_now()))
        watches.compare(comparing, inner_id, rule, scope)
        # None of these waits for it.
        other = make(town.app, GOLD)["id"]
        path = f"/v1/segments/{other}"
        body = {"name": "Others", "rule": BUYERS}
        town.app.client.put(path, headers=town.app.server, json=body).raise_for_status()
        put = town.app.client.put(f"{path}/watch", headers=town.app.server)
        put.raise_for_status()
        town.app.client.delete(f"{path}/watch", headers=town.app.server).raise_for_status()
        assert seen
        watches.mark_compared(comparing, town.app.inner_id, inner_id, *seen)

    with town.engine.connect() as connection:
        due = {one[1] for one in watches.due(connection, 300.0)}
    assert inner_id in due


def test_a_segment_that_is_unwatched_while_it_is_compared_ends_nothing_else(town: Town) -> None:
    gold = town.watch(GOLD)
    town.app.add_person("ada", attributes={"plan": "gold"})
    town.forget_doubts()
    with town.engine.connect() as connection:
        inner_id = connection.scalar(
            text("SELECT id FROM segment WHERE public_id = :id"), {"id": gold}
        )
    with town.engine.connect() as comparing, comparing.begin():
        comparing.execute(text("SELECT 1"))
        path = f"/v1/segments/{gold}/watch"
        town.app.client.delete(path, headers=town.app.server).raise_for_status()
        assert watching.compare(comparing, town.app.inner_id, (inner_id, gold), 60) is None
    assert town.settled() == []
