"""Numbers on the command line."""

import argparse

import pytest

from api.commands.numbers import count, port


def test_good_numbers_are_taken() -> None:
    assert (port("8000"), port("0"), count("1")) == (8000, 0, 1)


@pytest.mark.parametrize("text", ["-1", "65536", "8000.5", "", "x", "٣"])
def test_a_wrong_port_is_refused_with_its_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 0 to 65535"):
        port(text)
