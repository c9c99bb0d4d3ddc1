"""One behaviour of a gateway, as a row of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A behaviour by its number.

    Tests are named without `test_`, in `file`, or as path::name where they live elsewhere.
    """

    number: int
    name: str
    file: str
    tests: tuple[str, ...]
