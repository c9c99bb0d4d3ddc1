"""Takes a state folder for one supervisor: a lock that dies with it, and the stale sweep."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from api.services.errors import AlreadyRunningError, FolderError
from api.services.places import remove_data, remove_sockets
from api.services.processes import ProcessBook
from api.services.signals import uninterrupted

_LOCK = "lock"


@contextlib.contextmanager
def claimed(folder: Path, *, fresh: bool = False) -> Iterator[ProcessBook]:
    """Hold the state folder, stop what a killed supervisor left in it, and yield its book.

    With `fresh` everything in the folder is removed first. All processes still recorded at the
    end are stopped. Raises `AlreadyRunningError` while another living process holds the folder.
    """
    folder = folder.resolve()
    _prepare(folder, fresh=fresh)
    with _locked(folder / _LOCK):
        book = ProcessBook(folder)
        book.sweep()
        remove_sockets(folder)
        if fresh:
            remove_data(folder)
            _empty(folder)
            book = ProcessBook(folder)
        try:
            yield book
        finally:
            with uninterrupted():
                book.sweep()
                remove_sockets(folder)


def is_held(folder: Path) -> bool:
    """Tell whether a living process holds this state folder."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The descriptor is not inherited by children, so the lock is free the moment we die.
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunningError(
                f"Carillon is already running in {path.parent} (pid {holder}). "
                "Stop it first, or set CARILLON_STATE_DIR to another folder."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _prepare(folder: Path, *, fresh: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise FolderError(f"The state folder {folder} can not be used: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK) or not _writable(folder / _LOCK):
        raise FolderError(
            f"The state folder {folder} belongs to another account. Run as that account, "
            "remove the folder, or set CARILLON_STATE_DIR to another one."
        )
    if fresh and content and _LOCK not in content:
        # Emptying somebody's folder because of a wrong setting can not be undone.
        raise FolderError(f"{folder} is not empty and was not made by Carillon: name another one.")


def _writable(path: Path) -> bool:
    return not path.exists() or os.access(path, os.W_OK)


def _empty(folder: Path) -> None:
    try:
        for path in folder.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise FolderError(
            f"{error.filename} can not be removed: {error.strerror}. It was made by another "
            "account: run as that account or remove it."
        ) from None
