"""The file of an export: bounded, without a name, and honest about a disk that takes no more."""

import gzip
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.errors import ExportNotWrittenError, ExportTooLargeError
from api.export_file import ExportFile, Room, opened


def _whole(file: ExportFile) -> bytes:
    size = file.end()
    data = b"".join(iter(file.read, b""))
    assert len(data) == size
    return data


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """Have the kernel refuse to let any file of this process grow, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_was_written_is_read(tmp_path: Path, *, is_packed: bool) -> None:
    with opened(Room(tmp_path, 10_000_000, 0), is_packed=is_packed) as file:
        for number in range(100):
            file.write(f"{number},".encode() * 5_000)
        data = _whole(file)

    expected = b"".join(f"{number},".encode() * 5_000 for number in range(100))
    assert (gzip.decompress(data) if is_packed else data) == expected


def test_nobody_sees_it_and_its_folder_is_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "exports"
    with opened(Room(folder, 1_000, 0), is_packed=False) as file:
        file.write(b"ada")

        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700


def test_it_does_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    with opened(Room(tmp_path, 10, 0), is_packed=False) as file:
        file.write(b"0123456789")
        with pytest.raises(ExportTooLargeError, match="10 bytes"):
            file.write(b"x")

        assert _whole(file) == b"0123456789"


def test_the_limit_is_of_what_lies_on_the_disk(tmp_path: Path) -> None:
    with opened(Room(tmp_path, 1_000, 0), is_packed=True) as file:
        file.write(bytes(100_000))

        assert gzip.decompress(_whole(file)) == bytes(100_000)


def test_some_of_the_disk_is_left_free(tmp_path: Path) -> None:
    with (
        opened(Room(tmp_path, 1_000, 1 << 60), is_packed=False) as file,
        pytest.raises(ExportNotWrittenError, match="no room"),
    ):
        file.write(b"ada")


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    room = Room(tmp_path, 10_000_000, 0)
    with opened(room, is_packed=False) as file, _files_up_to(100_000):
        file.write(bytes(60_000))
        with pytest.raises(ExportNotWrittenError, match="File too large"):
            file.write(bytes(60_000))


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    with (
        pytest.raises(ExportNotWrittenError, match="Not a directory"),
        opened(Room(place / "exports", 1_000, 0), is_packed=False),
    ):
        pass
