"""What can stand against names and merges of people."""

from core.errors import ConflictError, NotFoundError, UnavailableError


class AliasTakenError(ConflictError):
    """The name leads to another person already. Merge the two if they are one person."""

    code = "alias_taken"


class TooManyAliasesError(ConflictError):
    """The person would have too many names. Remove some that nobody uses any more."""

    code = "too_many_aliases"


class AliasNotFoundError(NotFoundError):
    """The name leads to nobody in this app."""

    code = "alias_not_found"


class AlreadyIdentifiedError(ConflictError):
    """Somebody known can not become somebody else by signing in. Merge the two if they are one."""

    code = "already_identified"


class SamePersonError(ConflictError):
    """Both names lead to the same person already, and no merge made that so."""

    code = "same_person"


class MergedTooLargeError(ConflictError):
    """The attributes of both together would pass the limit. Remove some, then merge."""

    code = "merged_too_large"


class MergeNotFoundError(NotFoundError):
    """There is no such merge in this app. Its id was in the answer, and is in the history."""

    code = "merge_not_found"


class UndoExpiredError(ConflictError):
    """The time in which this merge could be undone is over: what moved is no longer known."""

    code = "undo_expired"


class UndoOutOfOrderError(ConflictError):
    """A later merge builds on this one. Undo that one first; it stands in the history."""

    code = "undo_out_of_order"


class SplitRefusedError(ConflictError):
    """A person can not be split: nobody knows which events and changes came under which name.

    What a merge has put together can be undone as a whole, within its time.
    """

    code = "split_refused"


class TooMuchMovedError(UnavailableError):
    """These people are being merged by others at this moment. Repeat the request."""

    code = "people_busy"
