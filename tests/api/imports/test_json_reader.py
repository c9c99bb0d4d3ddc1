"""JSONL as records."""

import pytest

from tests.api.imports.files import codes, read


def test_an_object_a_line_is_an_item_with_its_own_types() -> None:
    first = b'{"external_id":"u1","locale":null,"attributes":{"a":1},"points":3}'
    data = first + b'\n\n{"external_id":"u2"}'

    assert [(record.line, record.payload) for record in read(data)] == [
        (1, {"external_id": "u1", "locale": None, "attributes": {"a": 1, "points": 3}}),
        (3, {"external_id": "u2"}),
    ]


def test_keys_are_mapped_and_converted_like_columns() -> None:
    data = b'{"Customer ID":"u1","points":"3","note":"x"}\n{"Customer ID":"u2","points":"many"}\n'

    records = read(
        data,
        maps=(
            ("Customer ID", "external_id"),
            ("points", "attributes.points:int"),
            ("note", "ignore"),
        ),
    )

    assert records[0].payload == {"external_id": "u1", "attributes": {"points": 3}}
    assert records[1].faults[0].column == "points"
    assert records[1].faults[0].pointer == "/attributes/points"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nothing", "malformed_json"),
        (b'{"external_id":"u1"', "malformed_json"),
        (b'{"a":NaN}', "malformed_json"),
        (b"[1]", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b'{"a":"Jos\xe9"}', "not_utf8"),
        (rb'{"a":"\u0000"}', "nul_character"),
        (rb'{"a":"\ud800"}', "lone_surrogate"),
        (b'{"a":1e999}', "number_out_of_range"),
        (b'{"a":1,"a":2}', "duplicate_field"),
        (b'{"a":{"b":1,"b":1}}', "duplicate_field"),
        (b'{"a":9223372036854775808}', "number_out_of_range"),
        (b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", "too_deep"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "too_deep", id="very deep"),
        pytest.param(b'"' + b"x" * (1 << 20) + b'"', "too_long", id="long"),
    ],
)
def test_a_bad_line_costs_only_itself(line: bytes, code: str) -> None:
    good = b'{"external_id":"u1"}\n'

    records = read(good + line + b"\n" + good)

    assert codes(records) == {2: code}
    assert [record.line for record in records if record.payload] == [1, 3]
    assert "body" not in records[1].faults[0].message


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_the_place_of_a_fault_is_a_column_of_its_own_line(newline: bytes) -> None:
    records = read(b'{"external_id":"u1"' + newline + b'{"external_id":"u2"}' + newline)

    assert records[0].faults[0].message.endswith("at column 20.")


def test_an_unknown_key_of_a_device_is_refused_unless_it_is_ignored() -> None:
    data = b'{"installation_id":"inst-0001","colour":"red"}\n'

    assert codes(read(data, "devices")) == {1: "unknown_field"}
    assert read(data, "devices", unmapped="ignore")[0].payload == {"installation_id": "inst-0001"}
