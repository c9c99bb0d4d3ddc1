"""What the sandbox remembers of accepted pushes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.sandbox.record import Record, pair_hash


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    record = Record(tmp_path / "accepted.tsv")
    yield record
    record.close()


def _accept(record: Record, *tokens: str) -> None:
    for token in tokens:
        record.accept(pair_hash(token, "m"), token.encode())


def test_a_repeated_pair_is_a_duplicate(record: Record) -> None:
    _accept(record, "a", "b", "a")

    stats = record.stats()
    assert (stats["accepted"], stats["distinct_accepted"], stats["duplicates"]) == (3, 2, 1)
    assert stats["distinct_payloads"] == 2


def test_the_digest_ignores_order_and_repeats(tmp_path: Path, record: Record) -> None:
    other = Record(tmp_path / "other.tsv")
    _accept(record, "a", "b", "c")
    _accept(other, "c", "a", "b", "a")

    assert record.stats()["accepted_digest"] == other.stats()["accepted_digest"]
    other.close()


def test_token_and_message_do_not_run_together() -> None:
    assert pair_hash("ab", "c") != pair_hash("a", "bc")


def test_accepted_pushes_are_read_from_any_position(record: Record) -> None:
    record.write_accepted("apns", "t1", "m\t1\n")
    record.write_accepted("fcm", "t2", "m2")

    first, second = record.read_accepted(0)

    assert first[1:] == ("apns", "t1", "m 1 ")
    assert list(record.read_accepted(first[0])) == [second]


def test_a_reset_forgets_but_keeps_requests_under_way(record: Record) -> None:
    record.arrive(1.0)
    _accept(record, "a")
    record.write_accepted("apns", "a", "m")

    record.reset()
    record.write_accepted("fcm", "b", "m")

    stats = record.stats()
    assert (stats["requests"], stats["accepted"], stats["first_arrival"]) == (0, 0, None)
    assert (stats["in_flight"], stats["peak_in_flight"]) == (1, 1)
    assert [one[1:3] for one in record.read_accepted(0)] == [("fcm", "b")]


def test_peak_and_times_of_arrival_are_kept(record: Record) -> None:
    record.arrive(1.0)
    record.arrive(2.0)
    record.leave()
    record.arrive(3.0)

    stats = record.stats()
    assert (stats["peak_in_flight"], stats["in_flight"]) == (2, 2)
    assert (stats["first_arrival"], stats["last_arrival"]) == (1.0, 3.0)


def test_pushes_are_counted_by_second_and_status(record: Record) -> None:
    for now, status in ((7.1, 200), (7.9, 200), (7.9, 429), (8.0, 200)):
        record.tally(now, status)

    assert record.seconds == {(7, 200): 2, (7, 429): 1, (8, 200): 1}


def test_the_oldest_seconds_are_forgotten(record: Record) -> None:
    for second in range(10_001):
        record.tally(second, 200)

    assert ((0, 200) in record.seconds, (1, 200) in record.seconds) == (False, True)


def test_the_file_is_private(tmp_path: Path, record: Record) -> None:
    assert (tmp_path / "accepted.tsv").stat().st_mode & 0o777 == 0o600
