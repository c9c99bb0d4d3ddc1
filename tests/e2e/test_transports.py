"""A whole message over each transport that a worker can be set to."""

from collections.abc import Iterator

import pytest

from delivery.sandbox.tokens import apns_token, fcm_token
from delivery.transports import TransportKind
from tests.e2e.scene import Scene, open_scene, settings_for
from tests.fixtures.sandbox import Sandbox


@pytest.fixture(params=["http2", "sdk"])
def carried(
    request: pytest.FixtureRequest,
    fresh_database: str,
    redis_url: str,
    broker_url: str,
    sandbox: Sandbox,
) -> Iterator[Scene]:
    """A fresh platform whose workers send over one transport."""
    kind: TransportKind = request.param
    urls = (fresh_database, redis_url, broker_url)
    with open_scene(settings_for(urls, sandbox, transport=kind), sandbox) as made:
        yield made


def test_everybody_ends_in_the_same_state_over_every_transport(carried: Scene) -> None:
    fates = ["accepted"] * 40 + ["gone", "malformed", "sender_id_mismatch", "not_json_refusal"]
    for serial, fate in enumerate(fates):
        carried.add_device(None, fcm_token(fate, serial))
    for serial, fate in enumerate(["accepted"] * 40 + ["gone", "bad_collapse_id", "malformed"]):
        carried.add_iphone(None, apns_token(fate, serial))

    made = carried.post("/v1/messages", {"to": {"all": True}, "content": {"title": "Hello"}})
    carried.work()

    message = carried.assert_adds_up(str(made["id"]))
    assert message["counts"] == {
        "accepted": 80, "gone": 2, "rejected": 5, "expired": 0, "unknown": 0, "suppressed": 0,
    }  # fmt: skip
    accepted = list(carried.sandbox.control.accepted())
    assert len(accepted) == len(set(accepted)) == 80
