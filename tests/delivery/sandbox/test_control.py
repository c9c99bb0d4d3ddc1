"""The control API, and what its switches do to the gateways."""

import asyncio
import time

import httpx
import pytest

from delivery.sandbox.profile import Latency, latency_seconds
from delivery.sandbox.record import pair_hash
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.fixtures.loops import run_apart
from tests.fixtures.sandbox import TOPIC, Sandbox, trust


def test_stats_tell_what_was_seen(sandbox: Sandbox) -> None:
    bearer = sandbox.access_token()
    for message in ("m-1", "m-1", "m-2"):
        sandbox.push_fcm(fcm_token("accepted", 1), message, bearer)
    sandbox.push_fcm(fcm_token("gone", 1), "m-1", bearer)

    stats = sandbox.control.stats()

    assert (stats["requests"], stats["accepted"], stats["oauth_calls"]) == (5, 3, 1)
    assert (stats["distinct_accepted"], stats["duplicates"]) == (2, 1)
    assert stats["distinct_payloads"] == 2
    assert stats["open_connections"] >= 1
    assert stats["first_arrival"] <= stats["last_arrival"] <= time.time()
    assert sandbox.control.answers() == {
        ("fcm", 200, "accepted"): 3,
        ("fcm", 404, "UNREGISTERED"): 1,
        ("oauth", 200, "token"): 1,
    }


def test_the_digest_can_be_computed_by_the_sender(sandbox: Sandbox) -> None:
    tokens = [fcm_token("accepted", serial) for serial in range(3)]
    for token in tokens:
        sandbox.push_fcm(token, "m-1")

    expected = 0
    for token in tokens:
        expected ^= pair_hash(token, "m-1")
    assert sandbox.control.stats()["accepted_digest"] == f"{expected:016x}"


def test_accepted_pushes_come_in_pages(sandbox: Sandbox) -> None:
    bearer = sandbox.access_token()
    for serial in range(5):
        sandbox.push_fcm(fcm_token("accepted", serial), bearer=bearer)
    url = f"{sandbox.address.url}/control/accepted"

    first = sandbox.http.get(url, params={"limit": 3}).json()
    second = sandbox.http.get(url, params={"limit": 3, "after": first["next"]}).json()

    tokens = [one["token"] for page in (first, second) for one in page["accepted"]]
    assert tokens == [fcm_token("accepted", serial) for serial in range(5)]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "nothing", b"", 404),
        ("DELETE", "stats", b"", 405),
        ("POST", "profile", b"{", 400),
        ("POST", "profile", b"[]", 400),
        ("POST", "profile", b'{"speed":1}', 400),
        ("GET", "accepted?limit=x", b"", 400),
        ("POST", "credentials", b"{}", 400),
        ("POST", "credentials", b'{"kind":"apns_key"}', 400),
        ("POST", "credentials", b'{"kind":"apns_key","public_key":"x"}', 400),
        ("POST", "credentials", b'{"kind":"apns_certificate","topics":"x"}', 400),
        ("DELETE", "credentials", b'{"key_id":"nobody"}', 400),
    ],
)
def test_bad_control_requests_say_why(
    sandbox: Sandbox, method: str, path: str, content: bytes, status: int
) -> None:
    url = f"{sandbox.address.url}/control/{path}"

    answer = sandbox.http.request(method, url, content=content)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_credentials_are_listed_without_keys(sandbox: Sandbox) -> None:
    sandbox.control.register_certificate_topics(TOPIC)

    listing = sandbox.http.get(f"{sandbox.address.url}/control/credentials")

    assert sandbox.key.key_id in listing.text
    assert sandbox.account["client_email"] in listing.text
    assert "PUBLIC KEY" not in listing.text


def test_a_forced_outcome_meets_every_push_of_a_provider(sandbox: Sandbox) -> None:
    sandbox.control.profile(forced=[{"provider": "apns", "outcome": "invalid_provider_token"}])

    apns = sandbox.push_apns(apns_token("accepted", 1))
    fcm = sandbox.push_fcm(fcm_token("accepted", 1))

    assert (apns.status_code, apns.json()["reason"]) == (403, "InvalidProviderToken")
    assert fcm.status_code == 200


def test_a_forced_outcome_may_meet_one_project_only(sandbox: Sandbox) -> None:
    forced = {"provider": "fcm", "outcome": "service_disabled", "credential": "another"}
    sandbox.control.profile(forced=[forced])

    assert sandbox.push_fcm(fcm_token("accepted", 1)).status_code == 200


def test_shares_of_errors_repeat_with_their_seed(sandbox: Sandbox) -> None:
    bearer = sandbox.access_token()

    def statuses() -> list[int]:
        sandbox.control.reset()
        sandbox.control.profile(seed=4, server_error_share=0.3, throttled_share=0.3)
        return [
            sandbox.push_fcm(fcm_token("accepted", serial), bearer=bearer).status_code
            for serial in range(40)
        ]

    first = statuses()

    assert {200, 429, 500} == set(first)
    assert statuses() == first


def test_latency_is_the_drawn_one(sandbox: Sandbox) -> None:
    sandbox.control.profile(latency=150)
    bearer, start = sandbox.access_token(), time.monotonic()

    sandbox.push_fcm(fcm_token("accepted", 1), bearer=bearer)

    assert time.monotonic() - start >= latency_seconds(Latency(150, 150, 150), 0.5)


async def _push_together(sandbox: Sandbox, tokens: list[str], bearer: str) -> list[int]:
    """Push at once over one connection, which threads must not share: OpenSSL does not bear it."""
    async with httpx.AsyncClient(
        http2=True, verify=trust(sandbox.address), timeout=20, trust_env=False
    ) as client:
        posts = (
            client.post(
                f"{sandbox.address.url}/v1/projects/{sandbox.account['project_id']}/messages:send",
                headers={"authorization": f"Bearer {bearer}"},
                json={"message": {"token": token}},
            )
            for token in tokens
        )
        return [answer.status_code for answer in await asyncio.gather(*posts)]


def test_slow_answers_do_not_hold_up_others(sandbox: Sandbox) -> None:
    sandbox.control.profile(slow_seconds=1.0)
    bearer = sandbox.access_token()
    tokens = [fcm_token("slow", serial) for serial in range(20)]
    start = time.monotonic()

    statuses = run_apart(_push_together(sandbox, tokens, bearer))

    assert statuses == [200] * 20
    # One after the other they would take twenty.
    assert 1.0 <= time.monotonic() - start < 15.0
    assert sandbox.control.stats()["peak_in_flight"] == 20


@pytest.mark.parametrize(("outcome", "accepted"), [("hang", 0), ("accepted_unanswered", 1)])
def test_some_pushes_are_never_answered(sandbox: Sandbox, outcome: str, accepted: int) -> None:
    bearer = sandbox.access_token()
    url = f"{sandbox.address.url}/v1/projects/{sandbox.account['project_id']}/messages:send"
    with (
        httpx.Client(
            http2=True, verify=trust(sandbox.address), timeout=0.3, trust_env=False
        ) as impatient,
        pytest.raises(httpx.ReadTimeout),
    ):
        impatient.post(
            url,
            headers={"authorization": f"Bearer {bearer}"},
            json={"message": {"token": fcm_token(outcome, 1)}},
        )

    assert sandbox.control.stats()["accepted"] == accepted


def test_any_credentials_pass_when_told_so(sandbox: Sandbox) -> None:
    sandbox.control.profile(accept_any_credentials=True)
    sandbox.control.revoke(sandbox.key.key_id)

    assert sandbox.push_apns(apns_token("accepted", 1)).status_code == 200
    assert sandbox.push_fcm(fcm_token("accepted", 1), bearer="anything").status_code == 200


def test_the_sink_takes_all_and_counts_pairs(sandbox: Sandbox) -> None:
    sandbox.control.profile(sink=True)

    statuses = [
        sandbox.push_apns(apns_token("gone", 1), authorization="").status_code,
        sandbox.push_fcm(fcm_token("gone", 1), bearer="none").status_code,
        sandbox.push_fcm(fcm_token("gone", 1), bearer="none").status_code,
        sandbox.post_fcm({"message": {"token": "t"}}, bearer="none").status_code,
    ]

    stats = sandbox.control.stats()
    assert statuses == [200, 200, 200, 400]
    assert (stats["accepted"], stats["distinct_accepted"], stats["duplicates"]) == (3, 2, 1)


def test_the_sink_keeps_the_quota_of_a_project(sandbox: Sandbox) -> None:
    sandbox.control.profile(sink=True, fcm_quota_per_minute=2)

    answers = [sandbox.push_fcm(fcm_token("accepted", n), bearer="none") for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert sandbox.control.stats()["accepted"] == 2


@pytest.mark.parametrize("sink", [False, True])
def test_hashes_of_accepted_pairs_can_be_asked_for(sandbox: Sandbox, *, sink: bool) -> None:
    sandbox.control.profile(sink=sink)
    bearer, tokens = sandbox.access_token(), [fcm_token("accepted", serial) for serial in (1, 2)]
    for token in (*tokens, tokens[0]):
        sandbox.push_fcm(token, "m-1", bearer)

    assert sandbox.control.pairs() == {pair_hash(token, "m-1") for token in tokens}


@pytest.mark.parametrize("sink", [False, True])
def test_pushes_are_counted_by_the_second_in_which_they_came(
    sandbox: Sandbox, *, sink: bool
) -> None:
    sandbox.control.profile(sink=sink, fcm_quota_per_minute=2)
    bearer, began = sandbox.access_token(), int(time.time())
    for serial in range(3):
        sandbox.push_fcm(fcm_token("accepted", serial), bearer=bearer)

    seconds = sandbox.control.seconds()

    assert all(began <= second <= time.time() for second, _ in seconds)
    assert sum(count for (_, status), count in seconds.items() if status == 200) == 2
    assert sum(count for (_, status), count in seconds.items() if status == 429) == 1


@pytest.mark.parametrize("sink", [False, True])
def test_arrivals_of_timed_tokens_are_kept(sandbox: Sandbox, *, sink: bool) -> None:
    timed, other = fcm_token("accepted", 1), fcm_token("accepted", 2)
    sandbox.control.profile(sink=sink, timed_tokens=[timed[:22], "none"])
    bearer, began = sandbox.access_token(), time.time()
    for token in (timed, other):
        sandbox.push_fcm(token, "m-7", bearer)

    [(token, message, at)] = sandbox.control.arrivals()

    assert (token, message) == (timed, "m-7")
    assert began <= at <= time.time()
