"""The collector of cyclic garbage, set up for processes that live long."""

import gc

# Many objects live as long as a request or a window, and few of them in cycles: most are gone when
# the young are looked through a little later. The others follow in the ratios of Python itself,
# since what cycles hold is kept until then.
_THRESHOLDS = (2_000, 10, 10)


def settle() -> None:
    """Leave what is there by now out of all later collections; new cycles are still found.

    To be called once, when a process has imported and built what it keeps. A full collection goes
    through all of that otherwise, a few hundred thousand objects, and everybody waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
