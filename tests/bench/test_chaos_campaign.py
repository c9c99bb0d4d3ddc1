"""The chaos of campaigns: its plan, its books and its judge, which must be able to object."""

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from bench import chaos_campaign
from bench.relay import relay_to_port
from bench.turmoil.books import Books, Reckoning, reckon
from bench.turmoil.plan import Kind, Pace, make_plan
from bench.turmoil.verdict import Case, broken
from tests.deadlines import wait_until

KINDS = list(Kind)
PACE = Pace(12.0)
_GOOD = Reckoning(
    targeted=100, terminal=100, accepted=90, accepted_at_gateway=95, lost=0, duplicates=0,
    unknown=10, ended_twice=0, contradicted=0,
)  # fmt: skip


def case(found: Reckoning, policy: str = "at_most_once", **changes: Any) -> Case:
    made = Case(
        policy=policy,
        found=found,
        kills=3,
        kills_in_flight=2,
        in_doubt_bound=5,
        seconds=40.0,
        undisturbed_seconds=10.0,
        is_finished=True,
    )
    return replace(made, **changes)


def books(ends: dict[str, tuple[str, str]], gateways: set[str], **changes: Any) -> Books:
    made = Books(len(ends), is_finished=True, seconds=1.0, ends=ends, rows=len(ends),
                 at_gateways=gateways, duplicates=0)  # fmt: skip
    return replace(made, **changes)


def test_the_same_seed_makes_the_same_plan_and_another_another() -> None:
    plans = [make_plan(seed, 20, KINDS, PACE) for seed in (1, 1, 2)]

    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize("seed", range(20))
def test_each_kind_comes_once_before_any_comes_twice(seed: int) -> None:
    full, short = make_plan(seed, 20, KINDS, PACE), make_plan(seed, 5, KINDS, PACE)

    assert {one.kind for one in full} == set(KINDS)
    assert len({one.kind for one in short}) == 5


def test_points_of_progress_go_up_and_leave_room_at_both_ends() -> None:
    shares = [one.at_share for one in make_plan(3, 50, KINDS, PACE)]

    assert shares == sorted(shares)
    assert 0.0 < shares[0] < shares[-1] < 1.0


def test_pauses_outlast_the_lease_and_some_freezes_the_time_for_an_answer() -> None:
    made = [one for seed in range(50) for one in make_plan(seed, 20, KINDS, PACE)]
    pauses = [one.seconds for one in made if one.kind is Kind.WORKER_PAUSE]
    freezes = [one.seconds for one in made if one.kind is Kind.GATEWAY_FREEZE]

    assert min(pauses) > PACE.lease
    assert min(freezes) < PACE.request_timeout / 2
    assert max(freezes) > PACE.request_timeout


def test_a_freeze_that_outlasts_half_an_answer_may_put_twice_as_many_in_doubt() -> None:
    limit = PACE.request_timeout

    assert [PACE.doubts_in_freeze(share * limit) for share in (0.3, 0.6, 1.3)] == [1, 2, 2]


@pytest.mark.parametrize("lease", [6.0, 12.0, 60.0, 120.0])
def test_an_answer_is_waited_for_within_what_is_left_of_a_lease(lease: float) -> None:
    pace = Pace(lease)

    assert 0 < pace.request_timeout <= lease / 2 - pace.lease_margin


def test_books_that_agree_lose_nobody() -> None:
    found = reckon(books({"a": ("accepted", ""), "b": ("unknown", "worker_lost")}, {"a", "b"}))

    assert (found.lost, found.duplicates, found.contradicted) == (0, 0, 0)
    assert (found.accepted, found.unknown, found.accepted_at_gateway) == (1, 1, 2)
    assert found.unknown_reasons == {"worker_lost": 1}


def test_who_has_no_end_or_never_came_to_a_gateway_is_lost() -> None:
    ends = {"a": ("accepted", ""), "b": ("accepted", "")}

    found = reckon(books(ends, {"a"}, targeted=5))

    assert found.lost == 3 + 1


def test_what_came_twice_and_what_the_ledger_denies_is_counted() -> None:
    ends = {"a": ("accepted", ""), "b": ("expired", "ttl")}

    found = reckon(books(ends, {"a", "b"}, rows=3, duplicates=2))

    assert (found.duplicates, found.contradicted, found.ended_twice) == (2, 1, 1)
    assert found.other_ends == {"expired(ttl)": 1}


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_kept_promises_are_not_objected_to(policy: str) -> None:
    changes: dict[str, Any] = {"unknown": 0, "duplicates": 10} if policy == "at_least_once" else {}

    assert broken(case(replace(_GOOD, **changes), policy), 3) == []


@pytest.mark.parametrize(
    ("policy", "changes", "words"),
    [
        ("at_most_once", {"lost": 1}, "are lost"),
        ("at_most_once", {"terminal": 99}, "99 of 100 recipients"),
        ("at_most_once", {"terminal": 101}, "101 of 100 recipients"),
        ("at_most_once", {"ended_twice": 1}, "ended twice"),
        ("at_most_once", {"contradicted": 1}, "the ledger denies it"),
        ("at_most_once", {"duplicates": 1}, "twice with at_most_once"),
        ("at_most_once", {"unknown": 11}, "more than 2 in flight x 5"),
        ("at_least_once", {"unknown": 0, "duplicates": 11}, "more than 2 in flight x 5"),
        ("at_least_once", {"unknown": 1}, "unknown with at_least_once"),
        ("at_most_once", {"other_ends": {"expired(ttl)": 2}}, "2 expired(ttl)"),
    ],
)
def test_each_broken_promise_is_said(policy: str, changes: dict[str, Any], words: str) -> None:
    [fault] = broken(case(replace(_GOOD, **changes), policy), 3)

    assert words in fault


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": 41.0}, "it took 41.0 s, more than 40.0 s"),
        ({"is_finished": False}, "did not end by itself"),
        ({"kills": 3, "kills_in_flight": 1}, "more than 1 in flight x 5"),
    ],
)
def test_what_takes_too_long_or_is_in_doubt_too_much_is_said(
    changes: dict[str, Any], words: str
) -> None:
    [fault] = broken(case(_GOOD, **changes), 3)

    assert words in fault


def test_less_disturbances_than_asked_for_prove_nothing() -> None:
    [fault] = broken(case(_GOOD), 4)

    assert "only 3 of 4 disturbances" in fault


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--devices", "0"), "'0' is no number from 1"),
        (("--devices", "ten"), "'ten' is no number from 1"),
        (("--kills", "-1"), "'-1' is no number from 1"),
        (("--rate", "2001"), "from 1 to 2000"),
        (("--rate", "nan"), "from 1 to 2000"),
        (("--lease", "1"), "from 6 to 120"),
        (("--policy", "exactly_once"), "choose from 'at_most_once', 'at_least_once'"),
        (("--database", "mysql"), "neither embedded, system nor a URL"),
        (("--database", "mysql://root@localhost"), "a URL such as postgresql://"),
        (("--database", "postgresql://host:port"), "a URL such as postgresql://"),
        (("--broker", "kafka"), "neither embedded, rabbitmq nor a URL"),
        (("--broker", "redis://127.0.0.1/0"), "a URL such as amqp://"),
        (("--kills", "5", "--devices", "499"), "100 or more for each of --kills"),
        (("--seed", "x"), "'x'"),
        (("--frobnicate",), "--frobnicate"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        chaos_campaign.main(arguments)

    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.count("\n") == 1
    assert words in said
    assert "./carillon chaos campaign --help" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--database", "postgresql://nobody@127.0.0.1:1/x"), "no database can be made there"),
        (("--broker", "amqp://guest:guest@127.0.0.1:1//"), "no RabbitMQ at 127.0.0.1:1"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = chaos_campaign.main(arguments)

    said = [line for line in capsys.readouterr().err.splitlines() if words in line]
    assert code == 1
    assert len(said) == 1


def test_what_is_on_a_line_that_falls_silent_never_arrives() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        relay_to_port("127.0.0.1", server.getsockname()[1]) as (relay, port),
        socket.create_connection(("127.0.0.1", port), 10) as client,
        server.accept()[0] as gateway,
    ):
        client.sendall(b"heard")
        heard = gateway.recv(9)
        [link] = relay.links({client.getsockname()[1]})
        losing = threading.Thread(target=relay.lose, args=([link], 0.3))
        losing.start()
        wait_until(lambda: link.is_silent, 10, "the line is silent")
        client.sendall(b"lost")
        losing.join()

        assert heard == b"heard"
        for end in (client, gateway):
            with pytest.raises(ConnectionResetError):
                end.recv(9)
        assert relay.links() == []
