"""Who gives the permits: Redis, PostgreSQL while Redis is away, never both."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import redis
from sqlalchemy import Engine, text

from api.commands.migrate import migrate
from api.services.pair import Pair
from core.database import open_engine
from delivery.pacing import standing
from delivery.pacing.gcra import HORIZON_SECONDS, Limit, Wish
from delivery.pacing.pacer import Pacer
from delivery.pacing.redis_permits import RedisPermits
from delivery.pacing.standing import Standing
from tests.deadlines import wait_until

NOBODY = "redis://127.0.0.1:1"
LIMIT = Limit("quota", 10.0)


@dataclass(slots=True)
class House:
    """A database, a Redis of its own by its prefix, and one pacer."""

    database: Engine
    redis_url: str
    prefix: str
    pacer: Pacer

    def standing(self) -> Standing:
        with self.database.connect() as connection:
            return standing.read(connection)

    def take(self, pushes: int = 1) -> float:
        return self.pacer.take(self.standing(), [LIMIT], Wish(pushes))

    def use(self, url: str) -> None:
        """Go on with another Redis."""
        self.pacer.close()
        self.pacer = Pacer(self.database, RedisPermits.open(url, self.prefix))

    def forget(self) -> None:
        """Empty what is ours of Redis."""
        with redis.Redis.from_url(self.redis_url) as client:
            for key in client.scan_iter(match=f"{self.prefix}*"):
                client.delete(key)

    def pass_time(self, seconds: float) -> None:
        with self.database.begin() as connection:
            connection.execute(
                text("UPDATE pacer SET switched_at = switched_at - make_interval(secs => :s)"),
                {"s": seconds},
            )


@pytest.fixture
def house(fresh_database: str, redis_url: str, redis_prefix: str) -> Iterator[House]:
    database = open_engine(fresh_database, pool_size=4)
    pacer = Pacer(database, RedisPermits.open(redis_url, redis_prefix))
    made = House(database, redis_url, redis_prefix, pacer)
    yield made
    made.pacer.close()
    database.dispose()


@pytest.fixture
def own_house(own_pair: Pair, redis_prefix: str) -> Iterator[House]:
    """A house whose Redis is nobody else's."""
    migrate(own_pair.database_url)
    database = open_engine(own_pair.database_url, pool_size=4)
    pacer = Pacer(database, RedisPermits.open(own_pair.redis_url, redis_prefix))
    made = House(database, own_pair.redis_url, redis_prefix, pacer)
    yield made
    made.pacer.close()
    database.dispose()


def began(house: House) -> Standing:
    """Let Redis give permits for a while."""
    assert house.take() == 0.0
    house.pass_time(3600)
    return house.standing()


def test_a_fresh_installation_begins_with_redis_and_waits_for_nothing(house: House) -> None:
    waits = [house.take(5), house.take(5)]

    assert waits[0] == 0.0
    assert waits[1] == pytest.approx(0.5, abs=0.2)
    assert house.standing().live == "redis"


def test_nothing_asked_is_nothing_to_wait_for(house: House) -> None:
    house.use(NOBODY)
    seen = house.standing()

    assert house.pacer.take(seen, [], Wish(500)) == house.pacer.take(seen, [LIMIT], Wish(0)) == 0.0
    assert house.standing().epoch == seen.epoch


def test_postgresql_gives_at_once_what_redis_can_not(house: House) -> None:
    before = began(house)

    house.use(NOBODY)
    wait = house.take()

    now = house.standing()
    assert (now.live, now.epoch) == ("postgresql", before.epoch + 1)
    # Permits of Redis may be on their way until then: nothing is granted yet, but it is known when.
    assert HORIZON_SECONDS < wait <= HORIZON_SECONDS + 0.25
    house.pass_time(2)
    assert [house.take(5) for _ in range(2)] == [0.0, pytest.approx(0.5, abs=0.2)]


def test_all_follow_whoever_noticed_first(house: House) -> None:
    before = began(house)
    other = Pacer(house.database, RedisPermits.open(NOBODY, house.prefix))

    other.take(before, [LIMIT], Wish(1))
    followed = house.take()
    other.take(before, [LIMIT], Wish(1))
    other.close()

    assert followed > HORIZON_SECONDS
    assert house.standing().epoch == before.epoch + 1


def test_who_took_long_to_prepare_asks_first_who_gives_the_permits_now(house: House) -> None:
    before = began(house)
    other = Pacer(house.database, RedisPermits.open(NOBODY, house.prefix))
    other.take(before, [LIMIT], Wish(1))
    other.close()

    # Redis, which this worker reaches, has heard of nothing.
    seconds_ago = replace(before, read_at=before.read_at - 3)
    wait = house.pacer.take(seconds_ago, [LIMIT], Wish(1))

    assert HORIZON_SECONDS < wait <= HORIZON_SECONDS + 0.25


def test_redis_gives_again_when_it_has_stayed_away_long_enough(house: House) -> None:
    began(house)
    house.use(NOBODY)
    house.take()
    house.pass_time(2)
    house.use(house.redis_url)
    away = house.standing()

    house.take()
    assert house.standing().epoch == away.epoch
    house.pass_time(away.stay_seconds)
    wait_until(lambda: house.take() >= 0 and house.standing().live == "redis", 10, "it is back")

    assert house.standing().epoch == away.epoch + 1
    house.pass_time(2)
    assert house.take() == 0.0


@pytest.mark.parametrize(
    ("setting", "bad", "good"),
    [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")],
    ids=["full", "takes no writes"],
)
def test_a_redis_that_answers_but_takes_nothing_is_not_back(
    own_house: House, setting: str, bad: str, good: str
) -> None:
    house = own_house
    began(house)
    with redis.Redis.from_url(house.redis_url) as client:
        client.config_set(setting, bad)
        house.take()
        house.pass_time(3600)
        away = house.standing()

        for _ in range(20):
            assert house.take() <= HORIZON_SECONDS + 1
            time.sleep(0.1)
        assert away.live == "postgresql"
        assert house.standing().epoch == away.epoch
        client.config_set(setting, good)
    wait_until(lambda: house.take() >= 0 and house.standing().live == "redis", 10, "it is back")


def test_a_redis_that_stays_away_is_asked_beside_the_engine(house: House) -> None:
    began(house)
    house.use(NOBODY)
    house.take()
    house.pass_time(3600)
    away = house.standing()

    waits = [house.take() for _ in range(5)]

    assert waits == [pytest.approx(number / 10, abs=0.2) for number in range(5)]
    assert house.standing().epoch == away.epoch


def test_a_redis_that_forgot_everything_begins_a_new_epoch(house: House) -> None:
    before = began(house)

    house.forget()
    wait = house.take()

    now = house.standing()
    assert (now.live, now.epoch) == ("redis", before.epoch + 1)
    assert HORIZON_SECONDS < wait <= HORIZON_SECONDS + 0.25
    house.pass_time(2)
    assert house.take() == 0.0
    assert house.standing().epoch == now.epoch


def test_a_database_that_is_an_older_copy_gets_a_name_of_its_own(house: House) -> None:
    before = began(house)
    for _ in range(3):
        house.forget()
        house.take()
        house.pass_time(2)
    with house.database.begin() as connection:
        connection.execute(text("UPDATE pacer SET epoch = :epoch"), {"epoch": before.epoch})

    wait = house.take()

    now = house.standing()
    assert now.installation != before.installation
    assert (now.live, now.epoch) == ("redis", before.epoch + 1)
    assert wait > HORIZON_SECONDS
    house.pass_time(2)
    assert house.take() == 0.0


def test_an_epoch_seen_too_late_is_read_anew(house: House) -> None:
    before = began(house)
    house.forget()
    house.take()
    house.pass_time(2)

    # As a worker does that read its control row before the change.
    wait = house.pacer.take(before, [LIMIT], Wish(1))

    assert wait == 0.0
    assert house.standing().epoch == before.epoch + 1


def test_each_coming_and_going_is_left_alone_for_longer(house: House) -> None:
    stays = []
    with house.database.begin() as connection:
        now = standing.read(connection)
        for _ in range(9):
            now = standing.switch(connection, now, "postgresql")
            stays.append(now.stay_seconds)
            now = standing.switch(connection, now, "redis")
    house.pass_time(3600)
    with house.database.begin() as connection:
        quiet = standing.switch(connection, now, "postgresql")

    assert stays == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert quiet.stay_seconds == 5
    assert now.epoch == 18


def test_only_who_has_seen_the_last_change_makes_the_next(house: House) -> None:
    with house.database.begin() as connection:
        seen = standing.read(connection)
        first = standing.switch(connection, seen, "postgresql")
        second = standing.switch(connection, seen, "redis")

    assert (first.live, second.live) == ("postgresql", "postgresql")
    assert first.epoch == second.epoch == seen.epoch + 1
