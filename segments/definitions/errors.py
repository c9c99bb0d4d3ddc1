"""What can go wrong with segments."""

from core.errors import ConflictError, NotFoundError


class SegmentNotFoundError(NotFoundError):
    """There is no such segment in this app. Check the id and the app the key belongs to."""

    code = "segment_not_found"


class SegmentInUseError(ConflictError):
    """Something names this segment. Change that first; the detail says what it is."""

    code = "segment_in_use"


class TooManySegmentsError(ConflictError):
    """The app has as many segments as it may. Delete some that nobody uses any more."""

    code = "too_many_segments"


class TooManyWatchedError(ConflictError):
    """The app watches as many segments as it may. End the watch of some that nobody needs."""

    code = "too_many_watched"
