"""An embedded pair for tests: empty, not waiting for the disk, several at once in one clone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from api.services.errors import AlreadyRunningError
from api.services.pair import EmbeddedOptions, Pair, embedded_pair

_SLOTS = 16


@contextlib.contextmanager
def trial_pair(folder: Path) -> Iterator[Pair]:
    """Run a pair in the first free slot of `folder`, sweeping what a killed run left in it.

    Raises `AlreadyRunningError` when all slots are taken.
    """
    with contextlib.ExitStack() as stack:
        yield _enter_free_slot(folder, stack)


def _enter_free_slot(folder: Path, stack: contextlib.ExitStack) -> Pair:
    for slot in range(_SLOTS):
        options = EmbeddedOptions(folder / str(slot), durable=False, fresh=True)
        with contextlib.suppress(AlreadyRunningError):
            return stack.enter_context(embedded_pair(options))
    raise AlreadyRunningError
