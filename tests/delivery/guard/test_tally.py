"""What a worker knows of the tokens of a credential decides how carefully it goes."""

import pytest

from delivery.guard.rules import GuardRules, Span, guard_words
from delivery.guard.tally import Seen, Tally

RULES = GuardRules(share=0.5, answers=200, seconds=60.0)
NOW = 1_000.0


def tally_of(*seen: tuple[float, int, int]) -> Tally:
    """Return a tally of (moment, answers, refused)."""
    tally = Tally(RULES)
    for at, answers, refused in seen:
        tally.note(at, answers, refused)
    return tally


@pytest.mark.parametrize(
    ("answers", "refused", "tripped"),
    [(200, 100, True), (200, 99, False), (199, 199, False), (0, 0, False), (1_000, 500, True)],
)
def test_half_of_two_hundred_is_too_much(answers: int, refused: int, *, tripped: bool) -> None:
    assert RULES.is_tripped([Span(answers, refused), Span(0, 0)]) is tripped
    assert RULES.is_tripped([Span(10_000, 0), Span(answers, refused)]) is tripped


def test_as_long_as_nothing_is_known_few_leave() -> None:
    assert Tally(RULES).allowed(NOW) == 50


def test_what_gets_through_lets_more_leave() -> None:
    assert tally_of((NOW, 50, 0)).allowed(NOW) == 150
    assert tally_of((NOW, 50, 5)).allowed(NOW) == 140


def test_refusals_alone_let_no_more_leave() -> None:
    assert tally_of((NOW, 150, 150)).allowed(NOW) == 50


def test_what_begins_in_the_middle_of_a_campaign_slows_down_at_once() -> None:
    tally = tally_of((NOW - 20, 20_000, 0), (NOW, 60, 60))

    assert tally.is_failing(NOW)
    assert tally.allowed(NOW) == 50


def test_a_few_dead_tokens_of_a_healthy_fleet_slow_nothing_down() -> None:
    tally = tally_of((NOW - 1, 500, 10), (NOW, 500, 10))

    assert not tally.is_failing(NOW)
    assert tally.allowed(NOW) == 50 + 2 * 980


def test_what_is_long_ago_is_forgotten() -> None:
    tally = tally_of((NOW, 500, 0))

    assert not tally.is_empty(NOW + 60)
    assert tally.allowed(NOW + 61.5) == 50
    assert tally.is_empty(NOW + 61.5)


def test_whoever_answers_for_it_is_not_slowed_down() -> None:
    tally = tally_of((NOW, 150, 150))
    tally.rests = True

    assert tally.allowed(NOW) > 1_000_000


def test_a_healthy_fleet_reports_nothing() -> None:
    assert list(tally_of((NOW, 500, 0)).take_report(NOW)) == []


def test_the_first_refusal_reports_what_came_before_it_too_and_each_only_once() -> None:
    tally = tally_of((NOW - 3, 500, 0), (NOW, 500, 2))

    first = list(tally.take_report(NOW))
    again = list(tally.take_report(NOW + 2))
    tally.note(NOW + 2, 100, 1)
    later = list(tally.take_report(NOW + 2))

    assert first == [Seen(3.0, 500, 0), Seen(0.0, 500, 2)]
    assert again == []
    assert later == [Seen(0.0, 100, 1)]


def test_reports_of_a_healthy_fleet_come_once_a_second() -> None:
    tally = tally_of((NOW, 500, 2))
    tally.take_report(NOW)
    tally.note(NOW + 0.5, 500, 2)

    assert list(tally.take_report(NOW + 0.5)) == []
    assert list(tally.take_report(NOW + 1.0)) == [Seen(1.0, 500, 2)]


def test_what_is_good_after_a_refusal_is_reported_too_while_the_guard_looks_back() -> None:
    tally = tally_of((NOW, 20, 2))
    tally.take_report(NOW)
    tally.note(NOW + 0.5, 500, 0)
    soon, next_second = tally.take_report(NOW + 0.5), list(tally.take_report(NOW + 1.0))
    tally.note(NOW + 1_000, 500, 0)

    assert soon == ()
    assert next_second == [Seen(1.0, 500, 0)]
    assert list(tally.take_report(NOW + 1_001)) == []


def test_who_ends_reports_without_waiting_for_the_second() -> None:
    tally = tally_of((NOW, 20, 2))
    tally.take_report(NOW)
    tally.note(NOW + 0.5, 500, 0)

    assert list(tally.take_report(NOW + 0.5, at_once=True)) == [Seen(0.5, 500, 0)]
    assert list(tally.take_report(NOW + 0.5, at_once=True)) == []


def test_reports_of_a_failing_one_come_at_once() -> None:
    tally = tally_of((NOW, 50, 50))
    tally.take_report(NOW)
    tally.note(NOW + 0.125, 50, 50)

    assert list(tally.take_report(NOW + 0.125)) == [Seen(0.125, 50, 50)]


def test_what_is_watched_is_reported_without_refusals() -> None:
    tally = tally_of((NOW, 500, 0))
    tally.is_watched = True

    assert list(tally.take_report(NOW)) == [Seen(0.0, 500, 0)]


@pytest.mark.parametrize(
    ("provider", "words"), [("apns", "production or development"), ("fcm", "Firebase project")]
)
def test_the_words_say_how_many_why_and_what_to_do(provider: str, words: str) -> None:
    said = guard_words(provider, Span(1_234, 1_000), ["bad_device_token", "invalid_token"])

    assert said.startswith("1,000 of the last 1,234 answers refuse the token (bad_device_token, ")
    assert words in said
    assert "trust_refusals" in said
    assert len(said) <= 500
