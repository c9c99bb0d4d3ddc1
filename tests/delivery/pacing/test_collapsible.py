"""FCM's budget of collapsible messages: 20 for an app on a device, then one in 3 minutes."""

import threading
from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Engine, text

from core.database import open_engine
from delivery.pacing import collapsible
from delivery.pacing.collapsible import BURST, REFILL_SECONDS


@pytest.fixture
def database(fresh_database: str) -> Iterator[Engine]:
    database = open_engine(fresh_database, pool_size=5)
    yield database
    database.dispose()


def take(database: Engine, *targets: int, app_id: int = 1) -> Mapping[int, float]:
    with database.begin() as connection:
        return collapsible.take(connection, app_id, targets)


def pass_time(database: Engine, seconds: float) -> None:
    with database.begin() as connection:
        connection.execute(
            text("UPDATE collapse_budget SET arrival_at = arrival_at - make_interval(secs => :s)"),
            {"s": seconds},
        )


def test_twenty_go_at_once_and_the_next_waits_three_minutes(database: Engine) -> None:
    at_once = [take(database, 5) for _ in range(BURST)]
    waits = [take(database, 5), take(database, 5)]

    assert at_once == [{}] * 20
    # Who waits has taken nothing.
    assert all(wait.keys() == {5} for wait in waits)
    assert all(REFILL_SECONDS - 10 < wait[5] <= REFILL_SECONDS for wait in waits)


def test_one_becomes_free_every_three_minutes(database: Engine) -> None:
    for _ in range(BURST):
        take(database, 5)

    seen = []
    for _ in range(3):
        pass_time(database, REFILL_SECONDS)
        seen += [take(database, 5) == {}, take(database, 5) == {}]
    pass_time(database, 3_600 * 24)
    after_a_day = [take(database, 5) for _ in range(BURST + 1)]

    assert seen == [True, False] * 3
    assert after_a_day[:BURST] == [{}] * BURST
    assert after_a_day[BURST].keys() == {5}


def test_each_registration_of_each_app_has_a_budget_of_its_own(database: Engine) -> None:
    for _ in range(BURST):
        take(database, 5)

    assert take(database, 4, 5, 6).keys() == {5}
    assert take(database, 5, app_id=2) == {}
    assert take(database) == {}


def test_windows_at_once_never_spend_more_than_the_budget(database: Engine) -> None:
    targets = list(range(1, 41))
    sent: list[int] = []

    def spend(order: int) -> None:
        for _ in range(8):
            waits = take(database, *targets[::order])
            sent.extend(target for target in targets if target not in waits)

    threads = [threading.Thread(target=spend, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(sent) == BURST * len(targets)
    assert {sent.count(target) for target in targets} == {BURST}
