"""What readers hand on: one record of a file, or what is wrong with it; and the whole options."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["people", "devices", "events"]
Format = Literal["csv", "jsonl"]
Unmapped = Literal["attributes", "properties", "ignore", "refuse"]
Empty = Literal["keep", "clear"]


@dataclass(frozen=True, slots=True)
class LineFault:
    """One thing wrong with a line: a JSON pointer into the item, and the column it came from."""

    pointer: str
    column: str | None
    code: str
    message: str


# Made a million times for one file: a named tuple costs a third of a frozen dataclass.
class Record(NamedTuple):
    """One record. `payload` is what the API would have got; None when `faults` say why not."""

    line: int
    payload: Mapping[str, Any] | None
    faults: tuple[LineFault, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is to be read; what is None is found out, or is the usual of the kind.

    `maps` holds pairs such as ("Customer ID", "external_id").
    """

    kind: Kind
    format: Format | None = None
    delimiter: str | None = None
    maps: tuple[tuple[str, str], ...] = ()
    unmapped: Unmapped | None = None
    empty: Empty = "keep"

    def to_json(self) -> dict[str, Any]:
        """Return what is stored with the job."""
        return {**asdict(self), "maps": [list(pair) for pair in self.maps]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ImportOptions":
        """Return what `to_json` has stored."""
        return cls(**{**stored, "maps": tuple((name, to) for name, to in stored["maps"])})


class Reader(Protocol):
    """Reads a file record by record and knows how far it is."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records from the present position on; raises `UnreadableFileError`."""

    def steps(self) -> Iterator[Record | None]:
        """Yield the same, and None wherever reading has got further without a record."""

    @property
    def position(self) -> int:
        """The byte of the unpacked file behind the last record."""

    @property
    def line(self) -> int:
        """How many lines end before `position`."""
