"""Turns a request to stop into an exception, and keeps it from interrupting the cleaning up."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
_STOPPING = (signal.SIGTERM, signal.SIGHUP)
_ALL = (signal.SIGINT, *_STOPPING)


@contextlib.contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise SystemExit, so that `finally` blocks run."""
    with _handling(_STOPPING, _leave):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Within the block SIGINT, SIGTERM and SIGHUP do nothing: what it does is bounded in time."""
    with _handling(_ALL, _ignore):
        yield


@contextlib.contextmanager
def _handling(signals: tuple[signal.Signals, ...], handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in signals}
    for number, present in former.items():
        # What the caller's shell ignores (nohup) stays ignored.
        if present is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, present in former.items():
            signal.signal(number, present)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN a handler is not inherited by programs started meanwhile."""
