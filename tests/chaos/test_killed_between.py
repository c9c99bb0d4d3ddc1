"""A worker is killed while one message supersedes another, and while faults are isolated."""

import random
from typing import Any

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.chaos.crew import Member
from tests.chaos.stage import Stage
from tests.deadlines import note, wait_until

_DEVICES = 600
_PEOPLE = 240
_KILLS = 3
_NEST = 3_000


def kill_at(stage: Stage, worker: Member, counts: list[int]) -> None:
    for count in counts:
        stage.wait_accepted(count)
        worker.kill()
        note(f"killed at {stage.accepted()} accepted")
        worker = stage.crew.worker()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "policy", ["at_most_once", pytest.param("at_least_once", marks=pytest.mark.long)]
)
def test_every_device_has_one_of_two_whoever_dies_in_between(stage: Stage, policy: str) -> None:
    rng = random.Random(20_261_129)
    stage.add_phones(_DEVICES)
    fields: dict[str, Any] = {"policy": policy, "collapse_id": "score", "rate_per_second": 200}
    worker = stage.crew.start()
    older = stage.send(**fields)
    stage.wait_accepted(rng.randint(50, 150))
    newer = stage.send(**fields)

    kill_at(stage, worker, sorted(rng.sample(range(200, _DEVICES), _KILLS)))
    books = [stage.wait_end(one, 200) for one in (older, newer)]

    note(f"{books[0].message['reasons']}, {books[1].message['counts']}")
    assert books[0].message["reasons"]["suppressed"]["superseded"] > 0
    # Whoever misses the older one has the newer, or may have it.
    assert set(books[1].message["reasons"]) <= {"unknown"}
    ends = books[1].message["counts"]
    assert ends["accepted"] + ends["unknown"] == _DEVICES
    if policy == "at_most_once":
        assert books[0].duplicates == books[1].duplicates == 0
    else:
        assert books[1].message["counts"]["accepted"] == _DEVICES


def add_people_with_phones(stage: Stage) -> None:
    people = [{"external_id": f"p{n}", "attributes": {"deep": n}} for n in range(_PEOPLE)]
    stage.scene.add_people(*people)
    common = {"provider": "fcm", "kind": "token", "platform": "android", "permission": "granted"}
    devices = [
        {
            **common,
            "installation_id": f"crowd-{n:06}",
            "person": f"p{n}",
            "token": fcm_token("accepted", n),
        }
        for n in range(_PEOPLE)
    ]
    assert stage.scene.post("/v1/devices/batch", {"devices": devices})["failed"] == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "policy", [pytest.param("at_most_once", marks=pytest.mark.long), "at_least_once"]
)
def test_faults_are_isolated_whoever_dies_in_between(stage: Stage, policy: str) -> None:
    add_people_with_phones(stage)
    # No request can store so deep a value, and no reader of JSON takes it.
    poisoned = {f"p{n}" for n in (*range(0, _PEOPLE, 7), *range(100, 112))}
    stage.scene.run_sql(
        "UPDATE person SET attributes = jsonb_build_object('deep', "
        "(repeat('[', :nest) || repeat(']', :nest))::jsonb) WHERE external_id = ANY(:names)",
        nest=_NEST,
        names=sorted(poisoned),
    )
    worker = stage.crew.start()
    message_id = stage.send(policy=policy, content={"title": "{{ deep }}"}, rate_per_second=100)

    kill_at(stage, worker, [20, 90, 150])
    wait_until(lambda: hurry(stage, message_id), 120, "the message ends")

    books = stage.wait_end(message_id)
    counts = books.message["counts"]
    note(f"{counts} {books.message['reasons']}")
    healthy = _PEOPLE - len(poisoned)
    if policy == "at_most_once":
        assert books.duplicates == 0
        assert books.message["reasons"]["suppressed"] == {"defect": len(poisoned)}
        assert counts["accepted"] + counts["unknown"] == healthy
        assert counts["unknown"] <= _KILLS * stage.scene.settings.in_doubt_limit
    else:
        # Without intents nobody knows whether a lost worker sent to those that fail now.
        assert counts["accepted"] == len(books.gateways) == healthy
        assert counts["suppressed"] + counts["unknown"] == len(poisoned)


def hurry(stage: Stage, message_id: str) -> bool:
    """Let what waits after a fault be tried now; tell whether the message has ended."""
    stage.scene.run_sql("UPDATE chunk SET due_at = now() WHERE wait_reason = 'defect'")
    return stage.scene.read(message_id)["finished_at"] is not None
