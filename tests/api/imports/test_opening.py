"""Files that would never end: packed ones that grow, and beginnings that hold nothing."""

import gzip
import io
from collections.abc import Callable

import pytest

from api.imports.errors import UnreadableFileError
from api.imports.opening import HEAD_LIMIT, HEAD_LINES, check_file, unpacked_limit
from api.imports.record import ImportOptions
from tests.api.imports.files import opened

_PEOPLE = ImportOptions("people")
_MEBIBYTE = 1 << 20
# A member of a gz file that unpacks to nothing.
_NOTHING = gzip.compress(b"", mtime=0)


class _CountedFile(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        size = super().readinto(buffer)
        self.taken += size
        return size


def _refused(data: bytes) -> tuple[str, int]:
    file = _CountedFile(data)
    with pytest.raises(UnreadableFileError) as caught:
        check_file(file, _PEOPLE)
    assert file.closed
    return caught.value.detail, file.taken


@pytest.mark.parametrize(
    ("packed", "limit"),
    [
        (1, 100_000_000),
        (1_000_001, 100_000_100),
        (2_000_000_000, 10_000_000_000),
    ],
)
def test_what_may_come_out_of_a_gz_grows_with_it_to_an_end(packed: int, limit: int) -> None:
    assert unpacked_limit(packed) == limit


def test_a_gz_that_unpacks_to_too_much_is_refused_behind_what_was_good() -> None:
    good = gzip.compress(b"external_id\nu1\n")
    bomb = gzip.compress(b"x" * 10_000_000) * 11
    records = iter(opened(good + bomb).reader)

    assert next(records).payload == {"external_id": "u1"}
    with pytest.raises(UnreadableFileError, match="more than 100000000 bytes"):
        next(records)


def test_a_gz_within_its_limit_is_read_whole() -> None:
    blank = gzip.compress(b" " * 10_000_000) * 9
    data = gzip.compress(b"external_id\nu1\n") + blank + gzip.compress(b"\nu2\n")

    records = list(opened(data).reader)

    assert [record.line for record in records] == [2, 3, 4]
    assert [record.payload for record in records if record.payload] == [
        {"external_id": "u1"},
        {"external_id": "u2"},
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("start", "fill"),
    [
        pytest.param(b"external_id\n", b"x", id="a long line"),
        pytest.param(b'{"external_id": 1', b" ", id="a long object"),
    ],
)
def test_a_first_line_that_is_too_long_costs_only_itself(
    start: bytes, fill: bytes, pack: Callable[[bytes], bytes]
) -> None:
    good = b'{"external_id": "u1"}\n' if start.startswith(b"{") else b"u1\n"
    data = pack(start + fill * (16 * _MEBIBYTE) + b"\n" + good)
    file = _CountedFile(data)

    check_file(file, _PEOPLE)

    line = start.count(b"\n") + 1
    bad, kept = opened(data).reader
    assert file.taken <= 2 * _MEBIBYTE
    assert bad.faults[0].message == f"Line {line} is longer than 1048576 bytes."
    assert (kept.line, kept.payload) == (line + 1, {"external_id": "u1"})


def test_blank_lines_are_searched_to_an_end() -> None:
    blank = b"external_id\n" + b"\n" * (HEAD_LINES - 1)

    words, _ = _refused(blank + b"\nu1\n")

    check_file(io.BytesIO(blank[:-1] + b"u1\n"), _PEOPLE)
    assert words == f"The first {HEAD_LINES} lines hold none to import."


def test_a_header_that_is_too_long_is_refused_at_once() -> None:
    words, taken = _refused(b"x" * (32 * _MEBIBYTE))

    assert "not a text file" in words
    assert taken <= 2 * _MEBIBYTE


def test_a_gz_of_nothing_but_empty_members_is_refused() -> None:
    words, taken = _refused(_NOTHING * (2 * HEAD_LIMIT // len(_NOTHING)))

    assert "hold no line" in words
    assert taken <= HEAD_LIMIT + _MEBIBYTE


def test_a_good_file_is_read_no_further_than_its_first_line() -> None:
    file = _CountedFile(b"external_id\nu1\n" + b"x\n" * (4 * _MEBIBYTE))

    check_file(file, _PEOPLE)

    assert 0 < file.taken <= _MEBIBYTE
