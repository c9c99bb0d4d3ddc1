"""What was typed and uploaded, read without Streamlit."""

import re
from datetime import date, datetime, time
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.answers import Bucket
from console.audience import from_file, from_lines
from console.charts import over_time_chart
from console.composed import How, message_body, moment, read_data
from console.credential_bodies import certificate, service_account, signing_key
from console.frames import over_time_table
from console.lock_screens import lock_screens
from console.markdown import literal

NOTIFICATION: dict[str, Any] = {
    "title": "Hello", "body": "World", "subtitle": "Shop", "image": None, "sound": None,
    "badge": None, "deep_link": None, "data": {}, "silent": False,
}  # fmt: skip


def test_people_are_one_in_a_line_and_each_once() -> None:
    assert from_lines(" ada \n\nbob\nada\r\n") == ["ada", "bob"]


@pytest.mark.parametrize(
    ("content", "people"),
    [
        (b"ada\nbob\n", ["ada", "bob"]),
        (b"external_id,name\nada,Ada\nbob,Bob\n", ["ada", "bob"]),
        (b"name;External_ID\nAda;ada\nBob\n", ["ada"]),
        ('\ufeffid\tname\r\n"a,b"\tx\r\n'.encode(), ["a,b"]),
        (b"", []),
    ],
)
def test_an_upload_is_read_with_or_without_a_head(content: bytes, people: list[str]) -> None:
    assert from_file(content) == people


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b"])
def test_an_upload_that_is_no_text_is_said_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="no text"):
        from_file(content)


def test_data_is_read_from_lines() -> None:
    assert read_data("a=1\n\n b = x=y \n") == {"a": "1", "b": "x=y"}
    with pytest.raises(ValueError, match="Line 2"):
        read_data("a=1\nnothing")


def test_a_local_time_names_its_offset() -> None:
    assert moment(date(2026, 7, 1), time(9, 30), "Europe/Berlin") == "2026-07-01T09:30:00+02:00"
    for zone in ("Nowhere/At/All", "", "../etc"):
        with pytest.raises(ValueError, match="time zone"):
            moment(date(2026, 7, 1), time(9), zone)


def test_a_message_holds_only_what_was_given() -> None:
    how = How("campaign", None, 3_600, None, None)

    assert message_body({"to": {"all": True}}, {"title": "x"}, how) == {
        "to": {"all": True},
        "content": {"title": "x"},
        "lane": "campaign",
        "ttl_seconds": 3_600,
    }
    later = How("campaign", 5.0, 60, "c", "2026-07-01T09:30:00+02:00")
    assert message_body({}, {}, later).keys() >= {"rate_per_second", "collapse_id", "send_at"}


def test_credentials_are_read_from_their_files() -> None:
    facts = {"topic": "com.x", "environment": ""}

    assert service_account("G", b'{"type": "service_account"}')["kind"] == "service_account"
    assert signing_key("A", b"-----BEGIN", {"key_id": "K"})["p8"] == "-----BEGIN"
    assert certificate("C", b"\x00", "p", facts) == {
        "kind": "certificate", "name": "C", "p12": "AA==", "password": "p", "topic": "com.x",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"type": "user"}', b"\xff"])
def test_another_file_than_a_service_account_is_said_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="Google made"):
        service_account("G", content)


def test_another_file_than_a_key_is_said_so() -> None:
    with pytest.raises(ValueError, match="Apple made"):
        signing_key("A", b"\xff", {})


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)


@given(st.text(), st.text(), st.text(min_size=1))
def test_no_text_ever_becomes_html(title: str, body: str, name: str) -> None:
    nasty = '<script src="x" onload=y>&'
    shown = {**NOTIFICATION, "title": title + nasty, "body": body + nasty, "deep_link": nasty}
    tags = _Tags()

    tags.feed(lock_screens({"ios": shown, "android": shown}, name + nasty))

    assert tags.seen == {"style", "div"}
    assert tags.attributes == {"class", "role", "aria-label"}


def test_only_an_iphone_shows_the_subtitle() -> None:
    assert lock_screens({"ios": NOTIFICATION, "android": NOTIFICATION}, "App").count("Shop") == 1


def test_what_is_silent_or_missing_is_said_so() -> None:
    silent = {**NOTIFICATION, "silent": True}

    page = lock_screens({"ios": silent, "android": None}, "App")

    assert "in silence" in page
    assert "Nothing can be shown yet" in page


def test_badge_link_picture_and_sound_are_named_and_not_loaded() -> None:
    shown = {**NOTIFICATION, "badge": 7, "deep_link": "app://x", "image": "https://x/y.png"}

    page = lock_screens({"ios": {**shown, "sound": "ding"}}, "App")

    assert ">7<" in page
    assert "opens app://x · with a picture · plays ding" in page
    assert "y.png" not in page


LIVE = re.compile(
    r"https?://|www\.|@[\w-]|:[\w+/-]+:|:material/|(?<!\S)(<->|->|<-|--|>=|<=|~=)(?!\S)",
    re.IGNORECASE,
)


@given(
    st.lists(st.sampled_from([*"ab:/.@-<>~=`*_[]!|$", "www", "http://", " ", ":a:"]) | st.text())
)
@example(["http://evil.test/a.png www.evil.test a@evil.test"])
@example([":material/bolt: :streamlit: :+1: -> <- <-> -- >= <= ~="])
@example(["![x](http://y) :red[z] # a <b> $x$"])
@example(["1. x"])
def test_foreign_text_is_no_markdown_and_nothing_live(parts: list[str]) -> None:
    text = " ".join("".join(parts).split())

    escaped = literal(text)

    bare = re.sub(r"\\([\\!-~])", r"\1", escaped)
    assert not LIVE.search(bare)
    assert bare.replace("\N{WORD JOINER}", "") == text.replace("\N{WORD JOINER}", "")
    assert not re.search(r"(?<!\\)(\\\\)*[`*_\[\]<>()#!|$~&^+={}-]", escaped)
    assert not re.match(r"\d+[.)]", escaped)


def test_a_chart_spans_the_time_that_was_asked_for() -> None:
    table = over_time_table([Bucket("2026-01-02T03:04:00Z", {"gone": 1, "accepted": 1})], 10)
    now = datetime.fromisoformat("2026-01-02T03:05:00+00:00")

    encoding = over_time_chart(table, now, 15, 10)["encoding"]

    first, last = encoding["x"]["scale"]["domain"]
    assert last - first == (15 * 60 + 10) * 1_000
    assert encoding["color"]["scale"]["domain"] == ["Accepted", "Gone"]
    assert over_time_chart(table, now, 10_080, 7_200)["encoding"]["x"]["axis"]["format"] == "%d %b"
