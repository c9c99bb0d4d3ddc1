"""A large audience whose recipients are mostly not sent to: their ends come a little later."""

import multiprocessing
import os
import signal
from typing import Any

import pytest
from sqlalchemy import text

from api.duties import Duties
from core.database import open_engine
from core.queue import Nudger, create_queue
from core.settings import Settings
from delivery import fanout_sql
from delivery.outbox.entry import Kind
from delivery.postings import repository as postings
from delivery.sandbox.tokens import fcm_token
from tests.deadlines import wait_until
from tests.e2e.scene import Scene
from tests.e2e.test_delivery_pages import pages
from tests.e2e.test_kill_switch import put, switch
from tests.e2e.test_outbox import subscribe, take

PHONELESS = 1_300
DEAF = 250
_FILL = (
    """
    INSERT INTO person (app_id, external_id)
    SELECT a.id, 'phoneless-' || n FROM app a, generate_series(1, :phoneless) n
    """,
    """
    WITH owners AS (
        INSERT INTO person (app_id, external_id)
        SELECT a.id, 'deaf-' || n FROM app a, generate_series(1, :deaf) n
        RETURNING app_id, id),
    devices AS (
        INSERT INTO device (app_id, public_id, installation_id, person_id, platform, permission)
        SELECT app_id, 'dev_deaf_' || id, 'deaf-' || id,
               id, 'android', 'denied'
        FROM owners
        RETURNING app_id, id)
    INSERT INTO target (app_id, device_id, provider, kind, token, token_hash)
    SELECT app_id, id, 'fcm', 'token', 'deaf-' || id, sha256(CAST('deaf-' || id AS bytea))
    FROM devices
    """,
    # An app's phones without an owner, the one half of which is known not to be reached.
    """
    WITH devices AS (
        INSERT INTO device (app_id, public_id, installation_id, platform)
        SELECT a.id, 'dev_lone_' || n, 'lone-' || n,
               'android'
        FROM app a, generate_series(1, 20) n
        RETURNING app_id, id)
    INSERT INTO target (app_id, device_id, provider, kind, token, token_hash, state)
    SELECT app_id, id, 'fcm', 'token', 'lone-' || id, sha256(CAST('lone-' || id AS bytea)),
           'suspect'
    FROM devices WHERE id % 2 = 0
    """,
)
_NOT_SENT_TO = PHONELESS + DEAF + 20
_TO_ALL = {"to": {"all": True}, "content": {"title": "Hello"}}
_ENDS = """
SELECT string_agg(concat_ws(' ', l.device_id, '/', l.person_id, '/', l.state, l.reason, l.attempt),
                  ',' ORDER BY l.device_id, l.person_id)
FROM ledger l JOIN message m ON m.app_id = l.app_id AND m.id = l.message_id
WHERE m.public_id = :id AND m.day = l.day
"""
_OPEN = "SELECT coalesce(sum(recipients), 0) FROM posting"


@pytest.fixture
def town(scene: Scene) -> Scene:
    """A scene with many people who can not be sent to, and two who can."""
    scene.add_people({"external_id": "ada"}, {"external_id": "bob"})
    scene.add_device("ada", fcm_token("accepted", 1))
    scene.add_device("bob", fcm_token("accepted", 2))
    for sql in _FILL:
        scene.run_sql(sql, phoneless=PHONELESS, deaf=DEAF)
    return scene


def _cut(scene: Scene) -> str:
    sent = scene.post("/v1/messages", _TO_ALL)
    scene.duties.cut_due()
    return str(sent["id"])


def _post_one(scene: Scene) -> int:
    with scene.database.begin() as connection:
        return postings.post(connection, limit=1)


def test_the_ends_are_those_that_a_small_cut_writes_at_once(
    town: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = _cut(town)
    assert town.scalar(_ENDS, id=later) is None
    town.duties.post_ends()
    at_once = fanout_sql.CUT_ROWS.replace("<= 1000", "<= 1000000")
    monkeypatch.setattr("delivery.fanout.CUT_ROWS", at_once)
    now = _cut(town)

    assert town.scalar(_OPEN) == 0
    assert town.scalar(_ENDS, id=now) == town.scalar(_ENDS, id=later)
    assert town.assert_adds_up(now)["counts"] == town.assert_adds_up(later)["counts"]
    assert town.read(later)["reasons"] == town.read(now)["reasons"]


def test_everybody_is_open_until_their_end_is_in_the_ledger(town: Scene) -> None:
    message_id = _cut(town)

    message = town.assert_adds_up(message_id)
    assert (message["open"], message["targeted"]) == (_NOT_SENT_TO + 2, _NOT_SENT_TO + 2)
    waiting = {one["reason"]: one["recipients"] for one in message["waiting"]}
    assert waiting == {"recording": _NOT_SENT_TO}
    steps = 0
    while _post_one(town):
        steps += 1
        town.assert_adds_up(message_id)
    assert steps == 5
    assert town.assert_adds_up(message_id)["open"] == 2


def test_a_message_does_not_finish_before_its_last_end_is_written(town: Scene) -> None:
    message_id = _cut(town)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Duties, "post_ends", lambda _: None)
        town.work_until(lambda: town.scalar("SELECT count(*) FROM chunk") == 0)
        town.duties.sweep()

    assert town.read(message_id)["state"] == "running"
    town.work()
    message = town.assert_adds_up(message_id)
    assert (message["state"], message["counts"]["accepted"]) == ("finished", 2)


@pytest.mark.parametrize("move", ["cancel", "pause"])
def test_ends_keep_their_reasons_whatever_becomes_of_the_message(town: Scene, move: str) -> None:
    message_id = _cut(town)
    town.post(f"/v1/messages/{message_id}/{move}", {})
    town.duties.post_ends()
    town.duties.sweep()

    message = town.assert_adds_up(message_id)
    reasons = {"no_device": PHONELESS, "no_permission": DEAF, "suspect": 10}
    reasons |= {"retired_before_send": 10, **({"cancelled": 2} if move == "cancel" else {})}
    assert message["reasons"]["suppressed"] == reasons
    assert message["state"] == {"cancel": "cancelled", "pause": "paused"}[move]
    assert (message["finished_at"] is None) == (move == "pause")


def test_a_cancelled_message_is_not_over_while_ends_are_to_be_written(town: Scene) -> None:
    message_id = _cut(town)
    message = town.post(f"/v1/messages/{message_id}/cancel", {})

    assert message["finished_at"] is None
    assert town.assert_adds_up(message_id)["open"] == _NOT_SENT_TO


def test_what_is_too_late_or_stopped_is_written_all_the_same(town: Scene) -> None:
    message_id = _cut(town)
    put(town, switch(town, "app"))
    town.run_sql("UPDATE message SET expires_at = now() - interval '1 s'")
    town.duties.sweep()
    town.duties.post_ends()
    town.duties.sweep()

    message = town.assert_adds_up(message_id)
    assert message["state"] == "finished"
    assert message["counts"]["expired"] == 2
    assert message["counts"]["suppressed"] == _NOT_SENT_TO


def test_pages_show_everybody_once_and_nobody_is_missed_when_ends_are_written(
    town: Scene,
) -> None:
    message_id = _cut(town)
    before = [one for page in pages(town, 100, message=message_id) for one in page]
    turned = list[dict[str, Any]]()
    cursor: str | None = ""
    while cursor is not None:
        query = {"message": message_id, "limit": "90", **({"cursor": cursor} if cursor else {})}
        answer = town.http.get("/v1/deliveries", params=query).json()
        turned += answer["data"]
        cursor = answer["next_cursor"]
        _post_one(town)

    ids = [one["id"] for one in before]
    assert len(ids) == len(set(ids)) == _NOT_SENT_TO + 2
    assert {one["state"] for one in before} == {"pending"}
    assert {one["id"] for one in turned} == set(ids)


def test_a_person_a_device_and_a_trace_show_what_is_to_be_written(town: Scene) -> None:
    message_id = _cut(town)
    tokens = town.scalar("SELECT array_agg(DISTINCT t) FROM (SELECT min(token) OVER (PARTITION BY "
                         "state) AS t FROM target WHERE token ~ '^(deaf|lone)-') AS t")  # fmt: skip
    asked: tuple[dict[str, str], ...] = ({"person": "phoneless-7"}, {"person": "deaf-7"})
    asked += tuple({"token": token} for token in tokens)
    assert len(asked) == 4

    for query in asked:
        (entry,) = town.http.get("/v1/deliveries", params=query).json()["data"]
        assert (entry["message"], entry["state"], entry["reason"]) == (
            message_id, "pending", "recording",
        )  # fmt: skip
        trace = town.http.get(f"/v1/deliveries/{entry['id']}/trace").json()
        assert trace["steps"][-1]["step"] == "waiting"
        assert "Nothing is sent" in trace["steps"][-1]["words"]
    town.duties.post_ends()
    for query in asked:
        (entry,) = town.http.get("/v1/deliveries", params=query).json()["data"]
        assert entry["state"] == "suppressed"
        trace = town.http.get(f"/v1/deliveries/{entry['id']}/trace").json()
        assert trace["steps"][-1]["step"] == "suppressed"


def test_people_who_became_one_have_the_history_of_both(town: Scene) -> None:
    _cut(town)
    town.post("/v1/merges", {"into": "ada", "from": "phoneless-8"})

    entries = town.http.get("/v1/deliveries", params={"person": "ada"}).json()["data"]
    assert {(one["state"], one["reason"]) for one in entries} == {
        ("pending", None), ("pending", "recording"),
    }  # fmt: skip


def test_subscribers_are_told_every_end_once(town: Scene) -> None:
    subscribe(town, Kind.DELIVERY_ENDED)
    message_id = _cut(town)
    assert take(town) == []
    town.work()

    told = [one["data"] for one in take(town)]
    assert len(told) == town.assert_adds_up(message_id)["targeted"]
    assert {one["state"] for one in told} == {"accepted", "suppressed"}


def test_two_write_at_once_and_nobody_ends_twice(town: Scene) -> None:
    message_id = _cut(town)
    with town.database.connect() as slow, slow.begin():
        written = postings.post(slow, limit=2)
        town.duties.post_ends()
        assert written + town.scalar("SELECT count(*) FROM ledger") == _NOT_SENT_TO

    assert town.assert_adds_up(message_id)["open"] == 2


def _be_scheduler(settings: Settings) -> None:
    engine = open_engine(settings.require_database_url(), pool_size=2)
    queue = create_queue(settings.require_broker_url(), settings.queue_prefix)
    Duties(settings, engine, Nudger(queue)).post_ends()


def test_a_scheduler_that_is_killed_while_it_writes_loses_and_doubles_nothing(
    town: Scene,
) -> None:
    message_id = _cut(town)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for turn in range(3):
        process = multiprocessing.get_context("spawn").Process(
            target=_be_scheduler, args=(town.settings,)
        )
        with town.database.connect() as holder, holder.begin():
            # All else of the postings stands in the transaction by then, or nothing yet.
            table = ("message_delta", "ledger", "posting")[turn]
            holder.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            process.start()
            wait_until(lambda: bool(town.scalar(waiting)), 30, "it is in the middle")
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
        wait_until(
            lambda: town.scalar(
                "SELECT count(*) = 0 FROM pg_locks WHERE relation = 'posting'::regclass "
                "AND pid <> pg_backend_pid()"
            ),
            30,
            "the server has seen it",
        )
        assert town.assert_adds_up(message_id)["open"] == _NOT_SENT_TO + 2

    town.duties.post_ends()
    assert town.assert_adds_up(message_id)["counts"]["suppressed"] == _NOT_SENT_TO
