"""CSV as records: what is a line, what costs a line, and what costs nothing."""

import csv
import gzip
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.imports.csv_reader import COLUMN_LIMIT
from api.imports.errors import UnreadableFileError
from api.imports.lines import LINE_LIMIT
from api.imports.opening import Place, open_reader
from api.imports.record import ImportOptions
from tests.api.imports.files import codes, opened, read

_GOOD = {"external_id": "good", "attributes": {"a": "one\ntwo"}}


def payloads(data: bytes, **options: Any) -> list[Any]:
    return [record.payload for record in read(data, **options)]


def test_columns_become_fields_and_attributes() -> None:
    data = b"external_id,locale,first name\nu1,en-GB,Ada\n"

    assert payloads(data) == [
        {"external_id": "u1", "locale": "en-GB", "attributes": {"first name": "Ada"}}
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_outside_of_quotes(delimiter: str) -> None:
    data = f'external_id{delimiter}"a,b;c|d\te"\nu1{delimiter}x\n'.encode()

    assert payloads(data) == [{"external_id": "u1", "attributes": {"a,b;c|d\te": "x"}}]


def test_a_delimiter_that_is_given_goes_before_one_that_is_found() -> None:
    assert payloads(b"external_id:a,b,c\nu1:x\n", delimiter=":") == [
        {"external_id": "u1", "attributes": {"a,b,c": "x"}}
    ]


def test_a_byte_order_mark_crlf_and_blank_lines_say_nothing() -> None:
    data = b"\xef\xbb\xbfexternal_id,a\r\n\r\nu1,x\r\n\r\nu2,y"

    records = read(data)

    assert [record.line for record in records] == [3, 5]
    assert [record.payload for record in records] == [
        {"external_id": "u1", "attributes": {"a": "x"}},
        {"external_id": "u2", "attributes": {"a": "y"}},
    ]


def test_a_gz_is_unpacked() -> None:
    assert payloads(gzip.compress(b"external_id\nu1\n")) == [{"external_id": "u1"}]


def test_an_empty_cell_says_nothing_or_clears() -> None:
    data = b"external_id,a,locale\nu1,,\n"

    assert payloads(data) == [{"external_id": "u1"}]
    assert payloads(data, empty="clear") == [
        {"external_id": "u1", "attributes": {"a": None}, "locale": None}
    ]


_CELL = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20
)


@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=20))
def test_what_the_csv_module_writes_is_read_as_it_was(rows: list[tuple[str, str]]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([("external_id", "a"), *rows])

    assert payloads(written.getvalue().encode(), delimiter=",") == [
        {"external_id": name, "attributes": {"a": value}} for name, value in rows
    ]


def test_lines_are_counted_over_quoted_newlines() -> None:
    data = b'external_id,a\nu1,"one\ntwo\nthree"\nu2\nu3,x\n'

    records = read(data)

    assert [record.line for record in records] == [2, 5, 6]
    assert codes(records) == {5: "wrong_columns"}


def test_a_broken_line_costs_only_itself() -> None:
    data = (
        b"external_id,a\n"
        b"u1,Jos\xe9\n"  # latin-1
        b'u2,"never closed\n'
        b"u3,fine\n"
        b'u4,"x"y\n'
        b"u5,nul\0\n"
        b"u6,one,two\n"
        b"u7,fine\n" + b"u8," + b"x" * (LINE_LIMIT + 1) + b"\n"
        b"u9,fine\n"
    )

    records = read(data)

    assert codes(records) == {
        2: "not_utf8",
        3: "broken_quotes",
        5: "broken_quotes",
        6: "nul_character",
        7: "wrong_columns",
        9: "too_long",
    }
    assert [record.line for record in records if record.payload] == [4, 8, 10]


def test_a_quoted_cell_that_is_too_long_costs_its_line_and_says_the_limit() -> None:
    records = read(b'external_id,a\nu1,"' + b"x" * 131_073 + b'"\nu2,x\n')

    assert codes(records) == {2: "too_long"}
    assert "longer than 131072 characters" in records[0].faults[0].message


def test_a_quote_that_nobody_closes_does_not_swallow_a_long_file() -> None:
    tail = b"".join(b"u%d,x\n" % number for number in range(3_000))

    records = read(b'external_id,a\nbad,"open\n' + tail)

    assert codes(records) == {2: "broken_quotes"}
    assert len(records) == 3_001


@pytest.mark.timeout(60)
def test_lines_of_open_quotes_cost_no_more_than_some_readings_of_the_file() -> None:
    data = b"external_id,a\n" + (b"a" + b"z" * 990 + b'","\n') * 20_000
    started = time.thread_time()

    records = read(data)

    assert time.thread_time() - started < 10
    assert len(records) > 10_000
    assert {record.faults[0].code for record in records if record.faults} <= {
        "broken_quotes",
        "wrong_columns",
    }


def test_quotes_over_lines_are_read_between_many_open_quotes() -> None:
    block = b'bad,"open\n' + b"u,x\n" * 1_100 + b'good,"one\ntwo"\n'

    records = read(b"external_id,a\n" + block * 30)

    assert list(codes(records).values()) == ["broken_quotes"] * 30
    assert sum(record.payload == _GOOD for record in records) == 30


def test_reading_goes_on_behind_any_record() -> None:
    data = b'external_id,a\nu1,"x\ny"\nbad,"open\nu2,z\n\nu3,last\n'
    whole = read(data)
    for count in range(len(whole)):
        first = opened(data)
        records = iter(first.reader)
        taken = [next(records) for _ in range(count)]
        place = Place(first.reader.position, first.reader.line)

        rest = open_reader(io.BytesIO(data), ImportOptions("people"), place).reader

        assert [*taken, *rest] == whole


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"external_id,n\xe9\n1,2\n", "not UTF-8"),
        ("external_id,a\n".encode("utf-16"), "not UTF-8"),
        (b"external_id\0\n1\n", "not a text file"),
        (b"external_id,\n1,2\n", "Column 2 has no name"),
        (b"external_id,a,a\n1,2,3\n", "more than once"),
        pytest.param(b"a,b" * 500_000, "not a text file", id="a header over the limit of a line"),
        pytest.param(b"x," * 500_000 + b"x\n1\n", "has 500001 columns", id="columns"),
        (b'external_id,"a\n1,2\n', "quote is not closed"),
        (b"external_id,a\r1,2\r", "CR alone"),
        (b"[1]", "JSON list"),
        pytest.param(gzip.compress(b"external_id\nu1\n", mtime=0)[:12], "damaged", id="cut"),
        (b"\x1f\x8brubbish", "damaged"),
        pytest.param(b"x" * (LINE_LIMIT + 1), "not a text file", id="one line"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableFileError, match=words):
        read(data)


def test_as_many_columns_as_the_limit_are_read_and_one_more_is_refused() -> None:
    names = ["external_id", *(f"a{number}" for number in range(1, COLUMN_LIMIT))]
    cells = ",".join(["u1"] * COLUMN_LIMIT)

    (record,) = read(f"{','.join(names)}\n{cells}\n".encode())

    assert record.payload is not None
    assert len(record.payload["attributes"]) == COLUMN_LIMIT - 1
    with pytest.raises(UnreadableFileError, match="has 2001 columns, the limit is 2000"):
        read(f"{','.join(names)},more\n{cells},x\n".encode())
