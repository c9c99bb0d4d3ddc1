"""How long what a gateway refuses is left alone before it is tried again; doubling, as SQL."""

FLOOR_SECONDS = 2.0
CEILING_SECONDS = 300.0
# What is refused again within this time of having been tried goes on where it was.
MEMORY = "interval '10 minutes'"
# How long a lapsed hold lets single pushes of a platform through, to see whether they are taken.
TRIAL_SECONDS = 5.0


def moment(tries: str) -> str:
    """Return SQL for the moment of the next try; `tries` is SQL for the number of those before."""
    seconds = f"least({CEILING_SECONDS}, {FLOOR_SECONDS} * 2 ^ least({tries}, 20))::float8"
    return f"clock_timestamp() + make_interval(secs => {seconds})"
