"""What ends a benchmark early, in words for whoever started it."""


class BenchError(Exception):
    """The benchmark can not go on, or what it measured does not add up."""
