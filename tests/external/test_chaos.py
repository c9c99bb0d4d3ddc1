"""A campaign while everything breaks, on RabbitMQ and on this system's PostgreSQL."""

import pytest

from bench.own.packages import postgres_program, rabbitmq_program
from bench.turmoil.plan import Kind
from tests.bench.running import result_of, run
from tests.chaos.test_everything_breaks import POLICIES, SHORT, check_promises
from tests.external.conftest import installed

pytestmark = pytest.mark.external

_SERVERS = ("--database", "system", "--broker", "rabbitmq")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "policy", ["at_least_once", pytest.param("at_most_once", marks=pytest.mark.long)]
)
def test_nobody_is_lost_on_servers_of_other_makes(policy: str) -> None:
    for find in (postgres_program, rabbitmq_program):
        installed(find)
    given = (*SHORT, *_SERVERS, "--kills", "8", "--seed", "5", "--policy", policy, "--json")

    found = result_of(run("bench.chaos_campaign", *given, seconds=280))

    check_promises(found, 4_000, 8)
    made = {one["kind"] for one in found["disturbances"]}
    assert {Kind.DATABASE_RESTART.value, Kind.BROKER_STOP.value} <= made


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_hundred_thousand_devices_on_servers_of_other_makes(policy: str) -> None:
    for find in (postgres_program, rabbitmq_program):
        installed(find)
    given = ("--devices", "100000", "--kills", "20", "--seed", "5", "--policy", policy, "--json")

    found = result_of(run("bench.chaos_campaign", *given, *_SERVERS, seconds=880))

    check_promises(found, 100_000, 20)
