"""Watched segments: who enters and leaves is told once, whoever writes and whatever dies."""

import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.duties import Duties
from api.outbox_events import shape
from core.clock import utc_now
from delivery.outbox import repository as outbox
from delivery.outbox.entry import Kind
from segments.watching import repository as watches
from segments.watching import service as watching
from tests.api.doors import AppDoors, Doors, problem
from tests.api.test_segments import GOLD, make
from tests.repository_files import ROOT

BUYERS = {"type": "event", "name": "purchase", "window": {"last": "30 days"}}
NO_PUSH = {"type": "person", "field": "push_consent", "operator": "equals", "value": False}
# Settles, says so, and waits to be killed before the COMMIT.
_SETTLER = """
import sys, time
from core.database import open_engine
from segments.watching import service
with open_engine(sys.argv[1], pool_size=1).begin() as connection:
    print(service.settle(connection, int(sys.argv[2])), flush=True)
    time.sleep(60)
"""


class Town:
    """An app whose segments are watched, and what stands in its outbox."""

    def __init__(self, doors: Doors, app: AppDoors) -> None:
        self.app = app
        self.engine = doors.services.engine
        self.duties = Duties(doors.services.settings, self.engine, doors.services.nudger)
        with self.engine.begin() as connection:
            kinds = [Kind.SEGMENT_ENTERED, Kind.SEGMENT_LEFT]
            outbox.subscribe(connection, app.inner_id, "test", kinds)

    def watch(self, rule: Any) -> str:
        """Make a segment that is watched and was compared once."""
        segment: str = make(self.app, rule)["id"]
        path = f"/v1/segments/{segment}/watch"
        answer = self.app.client.put(path, headers=self.app.server)
        assert answer.json()["watched"] is True, answer.text
        self.duties.compare_segments()
        return segment

    def told(self) -> list[tuple[str, str, str]]:
        """Take what stands in the outbox: kind, segment, person."""
        with self.engine.begin() as connection:
            entries = outbox.claim(connection, "test", lease_seconds=60)
            own = [one for one in entries if one.app_id == self.app.inner_id]
            shaped = [fact for one in own for fact in shape(connection, one)]
            outbox.acknowledge(connection, own)
        return sorted(
            (one["type"], one["data"]["segment_id"], one["data"]["person"]) for one in shaped
        )

    def settled(self) -> list[tuple[str, str, str]]:
        """Settle all doubts, twice, and take what was told."""
        self.duties.settle_segments()
        self.duties.settle_segments()
        return self.told()

    def does(self, person: str, name: str, **values: Any) -> None:
        """Have a person do something."""
        answer = self.app.client.post(
            "/v1/events", headers=self.app.server, json={"name": name, "person": person, **values}
        )
        assert answer.status_code == 201, answer.text

    def forget_doubts(self) -> None:
        """Leave it to a comparison to see what was written."""
        with self.engine.begin() as connection:
            statement = text("DELETE FROM segment_doubt WHERE app_id = :app")
            connection.execute(statement, {"app": self.app.inner_id})

    def doubts(self) -> int:
        """Count the doubts of the app."""
        with self.engine.connect() as connection:
            found: int = connection.execute(
                text("SELECT count(*) FROM segment_doubt WHERE app_id = :app"),
                {"app": self.app.inner_id},
            ).scalar_one()
        return found


@pytest.fixture
def town(doors: Doors, app: AppDoors) -> Town:
    return Town(doors, app)


def test_an_event_an_attribute_and_a_consent_make_somebody_enter_and_leave(town: Town) -> None:
    buyers, gold, silent = town.watch(BUYERS), town.watch(GOLD), town.watch(NO_PUSH)
    town.app.add_person("ada", attributes={"plan": "free"})
    assert town.settled() == []

    town.does("ada", "purchase")
    town.does("ada", "purchase")
    assert town.settled() == [("segment.entered", buyers, "ada")]

    town.app.add_person("ada", attributes={"plan": "gold"}, consents={"push": False})
    entered = [("segment.entered", gold, "ada"), ("segment.entered", silent, "ada")]
    assert town.settled() == sorted(entered)

    town.app.add_person("ada", attributes={"plan": "free"}, consents={"push": True})
    left = [("segment.left", gold, "ada"), ("segment.left", silent, "ada")]
    assert town.settled() == sorted(left)
    assert town.doubts() == 0


def test_a_rule_that_can_not_be_read_holds_up_none_of_the_others(town: Town) -> None:
    broken, gold = town.watch(BUYERS), town.watch(GOLD)
    town.app.add_person("ada", attributes={"plan": "free"})
    assert town.settled() == []
    with town.engine.begin() as connection:
        rule = '{"type": "nothing"}'
        change = text("UPDATE segment SET rule = CAST(:rule AS jsonb) WHERE public_id = :id")
        connection.execute(change, {"rule": rule, "id": broken})
        connection.execute(text("UPDATE segment_watch SET compared_at = to_timestamp(0)"))

    town.does("ada", "purchase")
    town.app.add_person("ada", attributes={"plan": "gold"})
    assert town.settled() == [("segment.entered", gold, "ada")]
    town.app.add_person("bob", attributes={"plan": "gold"})
    town.forget_doubts()
    town.duties.compare_segments()
    assert town.told() == [("segment.entered", gold, "bob")]


def test_only_segments_that_mention_it_are_looked_at(town: Town) -> None:
    town.watch(GOLD)
    make(town.app, BUYERS)
    town.app.add_person("ada", attributes={"plan": "free", "shoe": 38})
    town.settled()

    town.does("ada", "purchase")
    town.app.add_person("ada", attributes={"shoe": 39}, locale="de")

    assert town.doubts() == 0


def test_who_is_in_at_first_is_not_told(town: Town) -> None:
    town.app.add_person("ada", attributes={"plan": "gold"})
    segment = town.watch(GOLD)

    assert town.settled() == []
    path = f"/v1/segments/{segment}/watch"
    found = town.app.client.get(path, headers=town.app.server).json()
    assert (found["watched"], found["members"]) == (True, 1)
    assert found["compared_at"] >= found["since"]


def test_time_alone_makes_somebody_leave(town: Town) -> None:
    segment = town.watch(BUYERS)
    at = utc_now() - timedelta(days=30) + timedelta(seconds=3)
    town.does("ada", "purchase", at=at.isoformat())
    assert town.settled() == [("segment.entered", segment, "ada")]

    with town.engine.begin() as connection:
        connection.execute(
            text("UPDATE event SET at = at - interval '1 hour' WHERE app_id = :app"),
            {"app": town.app.inner_id},
        )
        # Nobody wrote anything: only the comparison, when it is due, finds it.
        connection.execute(text("DELETE FROM segment_doubt"))
        connection.execute(text("UPDATE segment_watch SET compared_at = now() - interval '299 s'"))
    town.duties.compare_segments()
    early = town.told()
    with town.engine.begin() as connection:
        connection.execute(text("UPDATE segment_watch SET compared_at = now() - interval '301 s'"))
    town.duties.compare_segments()

    assert (early, town.told()) == ([], [("segment.left", segment, "ada")])


def test_a_new_version_tells_who_enters_and_leaves_by_it(town: Town) -> None:
    town.app.add_person("ada", attributes={"plan": "gold"})
    town.app.add_person("bob", attributes={"plan": "free"})
    segment = town.watch(GOLD)
    path = f"/v1/segments/{segment}"

    free = {"name": "Free", "rule": {**GOLD, "value": "free"}}
    town.app.client.put(path, headers=town.app.server, json=free).raise_for_status()
    watch = town.app.client.get(f"{path}/watch", headers=town.app.server).json()
    town.duties.compare_segments()

    # It is to be compared anew.
    assert watch["compared_at"] is None
    wanted = [("segment.entered", segment, "bob"), ("segment.left", segment, "ada")]
    assert town.settled() == wanted


def test_a_segment_that_is_named_by_a_watched_one_is_read_with_it(town: Town) -> None:
    inner = make(town.app, GOLD)["id"]
    segment = town.watch({"type": "segment", "segment": inner})

    town.app.add_person("ada", attributes={"plan": "free"})
    town.settled()
    town.app.add_person("ada", attributes={"plan": "gold"})

    assert town.settled() == [("segment.entered", segment, "ada")]


def test_a_settler_that_is_killed_loses_nothing_and_tells_nothing_twice(
    town: Town, database_url: str
) -> None:
    segment = town.watch(BUYERS)
    for number in range(20):
        town.does(f"person-{number}", "purchase")
    url = town.engine.url.render_as_string(hide_password=False)

    words = [sys.executable, "-c", _SETTLER, url, str(town.app.inner_id)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT, text=True) as settler:
        assert settler.stdout is not None
        settled = int(settler.stdout.readline())
        beside = town.settled()
        settler.send_signal(signal.SIGKILL)

    assert (settled, beside) == (20, [])
    wanted = sorted(("segment.entered", segment, f"person-{number}") for number in range(20))
    assert _eventually(town, len(wanted)) == wanted
    assert town.settled() == []


def _eventually(town: Town, count: int) -> list[tuple[str, str, str]]:
    """Settle until so much was told: PostgreSQL notices the dead settler when it likes."""
    told: list[tuple[str, str, str]] = []
    deadline = utc_now() + timedelta(seconds=90)
    while len(told) < count and utc_now() < deadline:
        told += town.settled()
    return sorted(told)


def test_what_is_not_watched_any_more_is_forgotten(town: Town) -> None:
    segment = town.watch(GOLD)
    path = f"/v1/segments/{segment}/watch"

    assert town.app.client.delete(path, headers=town.app.server).status_code == 204

    town.app.add_person("ada", attributes={"plan": "gold"})
    assert (town.doubts(), town.settled()) == (0, [])
    found = town.app.client.get(path, headers=town.app.server).json()
    assert found == {"watched": False, "since": None, "compared_at": None, "members": None}
    other = town.app.client.put("/v1/segments/seg_x/watch", headers=town.app.server)
    problem(other, 404, "segment_not_found")


def test_who_leaves_by_a_merge_is_named_as_before(town: Town) -> None:
    segment = town.watch(GOLD)
    town.app.add_person("ada", attributes={"plan": "gold"})
    town.app.add_person("bob", attributes={"plan": "gold"})
    entered = [("segment.entered", segment, "ada"), ("segment.entered", segment, "bob")]
    assert town.settled() == entered

    body = {"into": "ada", "from": "bob"}
    town.app.client.post("/v1/merges", headers=town.app.server, json=body).raise_for_status()
    with town.engine.begin() as connection:
        connection.execute(text("UPDATE segment_watch SET compared_at = now() - interval '301 s'"))
    town.duties.compare_segments()

    assert town.told() == [("segment.left", segment, "bob")]


def test_doubts_before_the_first_comparison_are_not_piled_up(town: Town) -> None:
    segment = make(town.app, GOLD)["id"]
    path = f"/v1/segments/{segment}/watch"
    town.app.client.put(path, headers=town.app.server).raise_for_status()
    town.app.add_person("ada", attributes={"plan": "gold"})
    doubts = town.doubts()
    town.duties.settle_segments()

    assert (doubts, town.doubts()) == (1, 0)
    town.duties.compare_segments()
    assert town.app.client.get(path, headers=town.app.server).json()["members"] == 1


def test_an_app_with_many_doubts_does_not_keep_another_waiting(town: Town, doors: Doors) -> None:
    other = Town(doors, doors.new_app())
    for one, count in ((town, watching.AT_ONCE + 1), (other, 1)):
        one.watch(GOLD)
        gold = {"plan": "gold"}
        people = [{"external_id": f"p{number}", "attributes": gold} for number in range(count)]
        answer = one.app.client.post(
            "/v1/people/batch", headers=one.app.server, json={"people": people}
        )
        assert answer.json()["failed"] == 0
    town.duties.settle_segments()
    with town.engine.connect() as connection:
        statement = text("SELECT app_id FROM outbox WHERE app_id = ANY(:apps) ORDER BY id")
        apps = [town.app.inner_id, other.app.inner_id]
        told = list(connection.scalars(statement, {"apps": apps}))

    assert told == [town.app.inner_id, other.app.inner_id, town.app.inner_id]


def test_an_app_watches_only_so_many_segments(town: Town) -> None:
    segment = town.watch(GOLD)
    with town.engine.begin() as connection:
        values = {"app": town.app.inner_id, "count": watching.WATCHED_LIMIT - 1}
        statement = """
            WITH made AS (
                INSERT INTO segment (app_id, public_id, name, rule, rule_hash)
                SELECT app_id, public_id || '_' || n, name, rule, rule_hash
                FROM segment, generate_series(1, :count) AS n WHERE app_id = :app
                RETURNING app_id, id)
            INSERT INTO segment_watch (app_id, segment_id) SELECT app_id, id FROM made
        """
        connection.execute(text(statement), values)
    again = town.app.client.put(f"/v1/segments/{segment}/watch", headers=town.app.server)
    more = f"/v1/segments/{make(town.app)['id']}/watch"
    refused = town.app.client.put(more, headers=town.app.server)

    assert again.status_code == 200
    problem(refused, 409, "too_many_watched")


def test_apps_take_turns_when_segments_are_compared(town: Town, doors: Doors) -> None:
    other = Town(doors, doors.new_app())
    for one in (town, town, other):
        one.watch(GOLD)
    with town.engine.connect() as connection:
        found = watches.due(connection, seconds=0)
    own = [app for app, _, _ in found if app in {town.app.inner_id, other.app.inner_id}]

    assert own == [town.app.inner_id, other.app.inner_id, town.app.inner_id]


def test_one_who_does_very_much_is_left_to_the_comparison(town: Town) -> None:
    segment = town.watch(BUYERS)
    town.app.add_person("bot")
    town.settled()
    with town.engine.begin() as connection:
        statement = """
            INSERT INTO event (app_id, person_id, uuid, name, at)
            SELECT app_id, id, gen_random_uuid(), 'purchase', now() - interval '1 hour'
            FROM person, generate_series(1, :count) WHERE app_id = :app AND external_id = 'bot'
        """
        values = {"app": town.app.inner_id, "count": watching.MOST_EVENTS + 1}
        connection.execute(text(statement), values)
    town.does("ada", "purchase")

    assert town.settled() == [("segment.entered", segment, "ada")]
    with town.engine.begin() as connection:
        connection.execute(text("UPDATE segment_watch SET compared_at = now() - interval '301 s'"))
    town.duties.compare_segments()
    assert town.told() == [("segment.entered", segment, "bot")]
