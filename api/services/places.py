"""Decides where an embedded server's data, sockets and programs lie, and cleans up after them.

What lies outside of the state folder is named in files inside it, so that it is found again.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from api.services.account import Account, can, choose_account
from api.services.binaries import Binaries, copy_binaries, find_binaries
from api.services.errors import FolderError, NoAccountError

# A unix socket's path is limited to 104 bytes on macOS; PostgreSQL adds 14 to the folder's.
_LONGEST_FOLDER = 80
_DATA = "postgres"
_DATA_ELSEWHERE = "postgres.location"
_SOCKETS_ELSEWHERE = "run/sockets.location"


@contextlib.contextmanager
def kept_from_cleaners(folder: Path) -> Iterator[None]:
    """Hold the lock by which systemd-tmpfiles knows that a folder is in use, however old."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one embedded pair; `data` and `sockets` belong to `account` alone."""

    account: Account | None
    binaries: Binaries
    data: Path
    sockets: Path


def settle(state: Path, say: Callable[[str], None]) -> Places:
    """Find or make the places for the state folder, telling in a line what is unusual."""
    data = _recorded(state / _DATA_ELSEWHERE) or state / _DATA
    account = choose_account(data)
    sockets = _make_sockets(account)
    (state / _SOCKETS_ELSEWHERE).write_text(str(sockets))
    data = _settle_data(state, data, account, say)
    if account is None:
        return Places(None, find_binaries(), data, sockets)
    return Places(account, _settle_binaries(account, sockets, say), data, sockets)


def remove_sockets(state: Path) -> None:
    """Remove the temporary folder of a former or ending run."""
    note = state / _SOCKETS_ELSEWHERE
    if (folder := _recorded(note)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
    note.unlink(missing_ok=True)


def remove_data(state: Path) -> None:
    """Remove the database of this state folder, wherever it lies."""
    note = state / _DATA_ELSEWHERE
    if (folder := _recorded(note)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
    note.unlink(missing_ok=True)
    shutil.rmtree(state / _DATA, ignore_errors=True)


def _settle_binaries(account: Account, sockets: Path, say: Callable[[str], None]) -> Binaries:
    binaries = find_binaries()
    reachable = _reachable(account, binaries)
    if not reachable:
        binaries = copy_binaries(binaries, sockets / "server")
        say("The servers run from a temporary copy: this folder is closed to their account.")
    os.chown(sockets, account.user_id, account.group_id)
    if not reachable and not _reachable(account, binaries):
        raise NoAccountError(
            f"The servers' account can not run programs in {sockets.parent}. "
            "Set TMPDIR to a folder that allows it, or run as an ordinary user."
        )
    return binaries


def _settle_data(
    state: Path, data: Path, account: Account | None, say: Callable[[str], None]
) -> Path:
    if data.is_dir():
        _check_owner(data, account)
        if data != state / _DATA:
            say(f"The database lies in {data}.")
        return data
    if data != state / _DATA:
        raise FolderError(
            f"The database folder {data} is gone. Restore it, or remove "
            f"{state / _DATA_ELSEWHERE} to start from empty."
        )
    data.mkdir(mode=0o700)
    if account is None:
        return data
    os.chown(data, account.user_id, account.group_id)
    if can(account, "/bin/sh", "-c", 'cd "$1" && test -w .', "sh", data):
        return data
    data.rmdir()
    data = Path(tempfile.mkdtemp(prefix="carillon-data-", dir="/var/tmp"))
    os.chown(data, account.user_id, account.group_id)
    (state / _DATA_ELSEWHERE).write_text(str(data))
    say(f"The database lies in {data}: this folder is closed to the servers' account.")
    return data


def _check_owner(data: Path, account: Account | None) -> None:
    owner = data.lstat()
    expected = os.geteuid() if account is None else account.user_id
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != expected:
        raise FolderError(
            f"The database folder {data} belongs to another account (uid {owner.st_uid}). "
            "Run as the account that made it, or remove it to start from empty."
        )


def _make_sockets(account: Account | None) -> Path:
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - see below.
        long = len(parent) + len("/carillon-12345678") > _LONGEST_FOLDER
        closed = account is not None and not can(account, "/bin/sh", "-c", 'cd "$1"', "sh", parent)
        if not long and not closed and os.access(parent, os.W_OK | os.X_OK):
            # mkdtemp makes a folder with a name nobody can foresee, open to its owner only.
            return Path(tempfile.mkdtemp(prefix="carillon-", dir=parent))
    raise FolderError("No temporary folder has a path short enough for sockets. Set TMPDIR=/tmp.")


def _reachable(account: Account, binaries: Binaries) -> bool:
    catalogue = binaries.postgres_root / "share" / "postgresql" / "postgres.bki"
    return (
        can(account, binaries.postgres, "--version")
        and can(account, binaries.initdb, "--version")
        and can(account, binaries.valkey_server, "--version")
        and can(account, "/bin/sh", "-c", 'test -r "$1"', "sh", catalogue)
    )


def _recorded(note: Path) -> Path | None:
    try:
        text = note.read_text().strip()
    except FileNotFoundError:
        return None
    # The name is checked because the folder may be removed with all it holds.
    folder = Path(text)
    return folder if folder.is_absolute() and folder.name.startswith("carillon-") else None
