"""The chaos for the sender core: a short form of it, and that its judge can find something."""

import json
from collections import Counter

import pytest

from bench import chaos_http2
from bench.chaos.conversation import converse
from bench.chaos.parsing import read_server, status_in, whole_streams
from bench.chaos.storm import Storm
from bench.faults import raw
from delivery.http2 import frames


def test_the_sender_core_stays_in_step_through_a_storm() -> None:
    storm = Storm()

    storm.rage(4.0, "a short one")

    assert (storm.hangs, storm.exceptions, storm.wrong) == ([], [], [])
    assert storm.tally["Answer"] > 50


def test_scrambled_conversations_end_as_they_should() -> None:
    tally: Counter[str] = Counter()

    for number in range(2_000):
        converse(f"short {number}", tally)

    assert min(tally[kind] for kind in ("Answer", "NotProcessed", "Ambiguous")) > 100


@pytest.mark.long
def test_a_hundred_thousand_scrambled_conversations_end_as_they_should() -> None:
    found = chaos_http2.conversations(100_000, "long")

    assert found["wrong_conversations"] == []


def test_the_command_prints_one_line_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    code = chaos_http2.main(["--seconds", "0.5", "--conversations", "50", "--seed", "1", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["seed"] == "1"
    assert found["conversations"] == 50
    assert found["wrong"] == found["hangs"] == found["exceptions"] == []


def test_a_core_that_takes_another_code_for_a_refusal_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "REFUSED_STREAM", frames.CANCEL)

    found = chaos_http2.conversations(300, "defect")

    assert found["wrong_conversations"]


def test_the_judge_reads_what_was_refused_excluded_and_answered() -> None:
    said = read_server(
        raw.frame(raw.RST_STREAM, 0, 1, (7).to_bytes(4, "big"))
        + raw.frame(raw.RST_STREAM, 0, 3, (8).to_bytes(4, "big"))
        + raw.frame(raw.HEADERS, 0, 5, b"\x48\x03")
        + raw.frame(raw.CONTINUATION, raw.END_HEADERS, 5, b"410")
        + raw.goaway(5, 0, b"")
        + raw.frame(raw.HEADERS, 0, 7, b"cut off")[:-1]
    )

    assert [said.refuses(stream) for stream in (1, 3, 5, 7)] == [True, False, False, True]
    assert said.statuses == {5: {410}}


def test_the_judge_knows_a_request_by_its_last_frame() -> None:
    preface = frames.PREFACE
    part = raw.frame(raw.DATA, 0, 1, b"ab")
    whole = raw.frame(raw.DATA, raw.END_STREAM, 1, b"c")

    assert whole_streams(preface + part + whole[:-1]) == set()
    assert whole_streams(preface + part + whole) == {1}


def test_a_block_that_can_not_be_read_has_no_status() -> None:
    assert status_in(b"\xff\xff") == 0
    assert status_in(b"\x88 whatever") == 200
