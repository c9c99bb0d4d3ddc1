"""What can go wrong between the console and the API, in words for people."""

from collections.abc import Sequence


class ApiError(Exception):
    """The API gave no answer that can be shown."""


class ApiAwayError(ApiError):
    """The API does not answer. Check that it runs and that the console has its address."""


class ApiSlowError(ApiError):
    """The API took too long to answer. It may be busy: try again in a moment."""


class ApiStrangeError(ApiError):
    """The answer is not one of this API. Check the address the console has."""


class ApiRefusedError(ApiError):
    """The API answered with a problem; `code` is its stable name, the text its own words."""

    def __init__(self, status: int, code: str, words: str, faults: Sequence[str] = ()) -> None:
        self.status = status
        self.code = code
        self.faults = tuple(faults)
        super().__init__(words)
