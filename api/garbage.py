"""The collector of cyclic garbage, set up for processes that live long."""

import gc

# Many objects live as long as a request or a window, and few of them in cycles: looked through
# seldom, most of them are gone by then.
_THRESHOLDS = (10_000, 20, 20)


def settle() -> None:
    """Leave what is there by now out of all later collections; new cycles are still found.

    To be called once, when a process has imported and built what it keeps. A full collection goes
    through all of that otherwise, a few hundred thousand objects, and everybody waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
