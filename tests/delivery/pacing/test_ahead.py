"""What a worker remembers of permits that are far away."""

from delivery.pacing.ahead import Ahead
from delivery.pacing.gcra import HORIZON_SECONDS


def test_nothing_is_known_of_what_was_never_asked_for() -> None:
    ahead = Ahead()

    assert ahead.seconds((1, 2)) == 0.0
    assert list(ahead.far()) == []


def test_permits_beyond_the_horizon_are_far() -> None:
    ahead = Ahead()

    ahead.note((1, 2), HORIZON_SECONDS / 2)
    ahead.note((3, 4), 30.0)

    assert 0 < ahead.seconds((1, 2)) <= HORIZON_SECONDS / 2
    assert list(ahead.far()) == [(3, 4)]


def test_a_rate_may_be_raised_so_it_is_not_believed_for_long() -> None:
    ahead = Ahead()

    ahead.note((1, 2), 86_400.0)

    # After half a second it is within the horizon, and asked for again.
    assert HORIZON_SECONDS < ahead.seconds((1, 2)) <= HORIZON_SECONDS + 0.5


def test_what_is_due_is_forgotten() -> None:
    ahead = Ahead()
    ahead.note((1, 2), -1.0)

    ahead.note((3, 4), 0.5)

    assert ahead.seconds((1, 2)) == 0.0
    assert ahead.seconds((3, 4)) > 0
