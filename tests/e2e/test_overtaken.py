"""A newer message with the same collapse id leaves at the very moment of the older one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from api.worker import build_engine
from delivery.chunks.chunk import MessageFacts
from delivery.engine.ports import Preparer, Recipient, Skipped
from delivery.push import Rendered
from tests.e2e.scene import Scene
from tests.e2e.test_superseded import crowd, put_off, send

__all__ = ["crowd"]


@pytest.mark.parametrize(
    "change",
    ["targeted = 5000", "state = 'cancelled'", "state = 'paused'"],
    ids=["large", "cancelled", "paused"],
)
def test_whom_a_newer_one_is_on_its_way_to_is_waited_for(crowd: Scene, change: str) -> None:
    older, newer = send(crowd, "1 : 0"), send(crowd, "2 : 0")
    # Ada's Android is on its way, and the others of the newer one have not left.
    crowd.run_sql(
        "UPDATE chunk SET intended = 1, open = '{0}', lease_owner = 'busy', "
        "lease_until = now() + interval '1 hour' "
        "WHERE message_id = (SELECT id FROM message WHERE public_id = :id) "
        "AND cardinality(device_ids) = 3",
        id=newer,
    )
    crowd.run_sql(f"UPDATE message SET {change} WHERE public_id = :id", id=newer)
    if "targeted" in change:
        put_off(crowd, newer)

    crowd.work()

    message = crowd.assert_adds_up(older)
    assert (message["open"], message["counts"]["accepted"]) == (1, 3)
    assert [one["reason"] for one in message["waiting"]] == ["newer_first"]


@dataclass(frozen=True)
class Slow:
    """Prepares as the real one does; something happens before what it made can leave."""

    inner: Preparer
    meanwhile: Callable[[], None]

    def prepare(
        self, message: MessageFacts, recipients: Sequence[Recipient]
    ) -> Sequence[Rendered | Skipped]:
        """Prepare, and let it happen."""
        made = self.inner.prepare(message, recipients)
        self.meanwhile()
        return made


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_a_newer_one_that_leaves_while_a_window_waits_supersedes_it(
    crowd: Scene, policy: str
) -> None:
    older, others = send(crowd, "1 : 0", policy=policy), list[str]()

    def overtake() -> None:
        if not others:
            others.append(send(crowd, "2 : 0"))
            crowd.work()
            # Windows that leave at once are not looked at again.
            time.sleep(0.3)

    engine = build_engine(crowd.settings, crowd.database, "transactional")
    opener = engine._openings._opener
    engine._openings._opener = replace(opener, preparer=Slow(opener.preparer, overtake))
    try:
        engine.run(lambda: False)
    finally:
        engine.close()
    crowd.work_until(lambda: crowd.read(older)["state"] == "finished")

    assert crowd.assert_adds_up(others[0])["counts"]["accepted"] == 4
    assert crowd.assert_adds_up(older)["reasons"]["suppressed"] == {"superseded": 4}
    assert len(list(crowd.sandbox.control.accepted())) == 4
