"""What can go wrong between the console and the API, in words for people."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 10
_UNKNOWN_PERSON, _PEOPLE = "unknown_person", "/to/people/"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of a request; `pointer` is empty for the whole."""

    pointer: str
    code: str
    message: str


class ApiError(Exception):
    """The API gave no answer that can be shown."""


def in_words(error: ApiError) -> str:
    """Return what an error says: its own words, else those of its class."""
    return str(error) or " ".join((type(error).__doc__ or "").split())


class ApiAwayError(ApiError):
    """The API does not answer. Check that it runs and that the console has its address."""


class ApiSlowError(ApiError):
    """The API took too long to answer. It may be busy: try again in a moment."""


class ApiStrangeError(ApiError):
    """The answer is not one of this API. Check the address the console has."""


class ApiRefusedError(ApiError):
    """The API answered with a problem; `code` is its stable name, the text its own words."""

    def __init__(self, status: int, code: str, words: str, fields: Sequence[Fault] = ()) -> None:
        self.status = status
        self.code = code
        self.fields = tuple(fields)
        super().__init__(words)

    @property
    def faults(self) -> Sequence[str]:
        """The faults as lines, the first of them when there are many."""
        lines = [f"{one.pointer or 'The whole'}: {one.message}" for one in self.fields]
        more = len(lines) - _SHOWN
        return (*lines[:_SHOWN], f"and {more} more") if more > 0 else tuple(lines)

    def unknown_people(self) -> set[int]:
        """Return the places in `to.people` of unknown people; empty when anything else is wrong."""
        if any(one.code != _UNKNOWN_PERSON for one in self.fields):
            return set()
        places = [one.pointer.removeprefix(_PEOPLE) for one in self.fields]
        return {int(place) for place in places if place.isdecimal()}
