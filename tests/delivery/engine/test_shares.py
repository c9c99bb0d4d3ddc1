"""Fair shares within one worker: what is slow takes little room, and nobody takes it all."""

from dataclasses import replace

import pytest

from core.clock import steady_seconds
from delivery.engine.open_chunk import OpenChunk
from delivery.engine.shares import Shares, horizon_seconds, slots_taken
from delivery.engine.window import Addressed, Window
from delivery.pacing.gcra import HORIZON_SECONDS
from tests.delivery.engine.chunks import NO_PROVIDER, NO_PUSH, lease_of


def chunk_of(
    message_id: int, *, weight: int = 1, rate: float | None = None, credential_id: int = 4
) -> OpenChunk:
    lease = lease_of(10, "at_most_once")
    facts = replace(lease.message, id=message_id, weight=weight, rate_per_second=rate)
    return OpenChunk(replace(lease, message=facts, credential_id=credential_id), 60.0)


def doubt(chunk: OpenChunk, pushes: int) -> OpenChunk:
    chunk.sent = set(range(pushes))
    return chunk


def wait(chunk: OpenChunk) -> OpenChunk:
    """Let a window of the chunk wait for the time of its permits."""
    chunk.next = Window([], [], [], NO_PROVIDER, steady_seconds() + 60, 60.0)
    return chunk


@pytest.mark.parametrize(
    ("rate", "slot"), [(None, 1.0), (5_000.0, 1.0), (500.0, 1.0), (250.0, 0.5), (0.1, 1 / 16)]
)
def test_what_goes_slowly_takes_a_part_of_a_place(rate: float | None, slot: float) -> None:
    assert slots_taken([chunk_of(1, rate=rate)]) == slot
    assert slots_taken([]) == 0


def test_slow_chunks_leave_room_for_others() -> None:
    chunks = [chunk_of(number, rate=10.0) for number in range(16)]

    assert slots_taken([*chunks, chunk_of(99)]) == pytest.approx(2.0)


def ready(chunk: OpenChunk, pushes: int) -> OpenChunk:
    """Let a window of so many pushes be prepared."""
    addressed = [Addressed(position, 1, NO_PUSH) for position in range(pushes)]
    chunk.next = Window(range(pushes), addressed, (), NO_PROVIDER, 0.0, 60.0)
    return chunk


def test_alone_a_message_may_have_all_in_doubt() -> None:
    chunks = [ready(doubt(chunk_of(1), 300), 500), doubt(chunk_of(1), 200)]

    assert Shares(chunks, 1_000).has_room(chunks[0])
    assert not Shares(chunks, 999).has_room(chunks[0])
    assert Shares(chunks, 1_000).room == 500


def test_messages_share_what_may_be_in_doubt_by_weight() -> None:
    light, heavy = doubt(chunk_of(1), 100), doubt(chunk_of(2, weight=3), 700)
    shares = Shares([light, heavy, chunk_of(2, weight=3)], 2_000)

    assert (shares.part(light), shares.part(heavy)) == (500, 1_500)
    assert shares.has_room(ready(light, 400))
    assert not shares.has_room(ready(light, 401))


def test_however_many_there_are_each_may_send_something() -> None:
    chunks = [ready(chunk_of(number), 100) for number in range(30)]
    shares = Shares(chunks, 800)

    assert {shares.part(chunk) for chunk in chunks} == {100}
    assert all(shares.has_room(chunk) for chunk in chunks)


def test_a_window_larger_than_its_part_goes_when_nothing_else_of_its_message_is_in_doubt() -> None:
    chunks = [ready(chunk_of(1), 300), chunk_of(2)]

    assert Shares(chunks, 400).has_room(chunks[0])
    assert not Shares([doubt(chunks[0], 1), chunks[1]], 400).has_room(chunks[0])


def test_what_begins_within_a_turn_takes_room_at_once() -> None:
    first, second = ready(chunk_of(1), 300), ready(chunk_of(2), 300)
    shares = Shares([first, second], 500)

    shares.add(first, 300)

    assert shares.room == 200
    assert not shares.has_room(second)


def test_room_is_scarce_for_all_or_for_one_message() -> None:
    greedy, modest = doubt(chunk_of(1), 400), chunk_of(2)

    assert Shares([greedy, modest], 1_000).is_scarce(greedy)
    assert not Shares([greedy, modest], 1_000).is_scarce(modest)
    assert Shares([greedy, modest], 500).is_scarce(modest)


class Careful:
    """Lets 100 of the fourth credential be on their way."""

    def __init__(self, *, asks: bool = False) -> None:
        self.asks = asks

    def allowed(self, chunk: OpenChunk) -> int:
        return 100 if chunk.lease.credential_id == 4 else 1_000

    def is_asking(self, chunk: OpenChunk) -> bool:
        return self.asks


def test_as_long_as_a_credential_is_unproven_few_leave_with_it() -> None:
    first, second = ready(doubt(chunk_of(1), 60), 40), ready(chunk_of(2), 41)
    other = ready(chunk_of(3, credential_id=5), 500)
    shares = Shares([first, second, other], 2_000, Careful())

    assert shares.allowed(first) == shares.allowed(second) == 100
    assert (shares.has_room(first), shares.has_room(second)) == (True, False)
    assert shares.has_room(other)


def test_what_leaves_within_a_turn_counts_for_its_credential() -> None:
    first, second = ready(chunk_of(1), 60), ready(chunk_of(2), 60)
    shares = Shares([first, second], 2_000, Careful())

    shares.add(first, 60)

    assert not shares.has_room(second)
    assert not shares.is_scarce(second)
    shares.add(first, 20)
    assert shares.is_scarce(second)


def test_while_it_is_found_out_if_a_credential_must_pause_none_leaves() -> None:
    chunk = ready(chunk_of(1), 1)

    assert not Shares([chunk], 2_000, Careful(asks=True)).has_room(chunk)


def test_alone_a_message_takes_permits_as_far_ahead_as_there_are() -> None:
    chunks = [wait(chunk_of(1)), chunk_of(1)]

    assert horizon_seconds(chunks[1], chunks, steady_seconds()) == HORIZON_SECONDS


def test_who_has_more_than_its_part_leaves_the_far_end_to_the_others() -> None:
    greedy, poor = [wait(chunk_of(1)), wait(chunk_of(1)), chunk_of(1)], chunk_of(2)
    chunks, now = [*greedy, poor], steady_seconds()

    assert horizon_seconds(greedy[2], chunks, now) < HORIZON_SECONDS
    assert horizon_seconds(poor, chunks, now) == HORIZON_SECONDS


def test_weights_count_for_who_has_more_than_its_part() -> None:
    heavy = [wait(chunk_of(1, weight=3)) for _ in range(3)]
    light = wait(chunk_of(2))
    chunks, now = [*heavy, light], steady_seconds()

    # Three of four windows are just what three times the weight is worth.
    assert horizon_seconds(heavy[0], chunks, now) == HORIZON_SECONDS
    assert horizon_seconds(light, chunks, now) == HORIZON_SECONDS
    more = [*chunks, wait(chunk_of(1, weight=3))]
    assert horizon_seconds(heavy[0], more, now) < HORIZON_SECONDS


def test_messages_of_another_credential_are_no_rivals() -> None:
    chunks = [wait(chunk_of(1)), wait(chunk_of(1)), chunk_of(2, credential_id=9)]

    assert horizon_seconds(chunks[0], chunks, steady_seconds()) == HORIZON_SECONDS
