"""A nudge that comes right after a look that found nothing is not lost."""

from api.worker import build_engine
from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene


def test_a_woken_engine_claims_at_once_what_became_due_after_its_last_look(scene: Scene) -> None:
    scene.add_people({"external_id": "ada", "attributes": {}})
    scene.add_device("ada", fcm_token("accepted", 1))
    engine = build_engine(scene.settings, scene.database, "transactional")
    try:
        found_before = engine.run(lambda: False)
        sent = scene.post("/v1/messages", {"to": {"people": ["ada"]}, "content": {"title": "Hi"}})
        engine.wake()
        found_after = engine.run(lambda: False)
    finally:
        engine.close()

    assert (found_before, found_after) == (0, 1)
    assert scene.read(sent["id"])["counts"]["accepted"] == 1
