"""Whether the promises were kept; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from bench.turmoil.books import Reckoning

AT_MOST_ONCE, AT_LEAST_ONCE = POLICIES = ("at_most_once", "at_least_once")
SECONDS_PER_KILL = 10.0


@dataclass(frozen=True, slots=True)
class Case:
    """A campaign that is over, and what was done to it meanwhile.

    `kills_in_flight` counts worker processes whose pushes a disturbance put in doubt, each at
    most `in_doubt_bound`; see docs/reference/chaos.md.
    """

    policy: str
    found: Reckoning
    kills: int
    kills_in_flight: int
    in_doubt_bound: int
    seconds: float
    undisturbed_seconds: float
    is_finished: bool

    @property
    def limit_seconds(self) -> float:
        """By when it has to have ended by itself."""
        return self.undisturbed_seconds + SECONDS_PER_KILL * self.kills

    @property
    def in_doubt(self) -> int:
        """How many may be in doubt in all."""
        return self.kills_in_flight * self.in_doubt_bound


def broken(case: Case, wanted_kills: int) -> Sequence[str]:
    """Return in words which promises were broken; none is as it should be."""
    found, doubt = case.found, case.in_doubt
    bound = f"{case.kills_in_flight} in flight x {case.in_doubt_bound}"
    is_once = case.policy == AT_MOST_ONCE
    others = ", ".join(f"{count} {end}" for end, count in found.other_ends.items())
    promises = {
        f"{found.lost} recipients are lost": found.lost,
        f"{found.terminal} of {found.targeted} recipients have a terminal state":
            found.terminal != found.targeted,
        f"{found.ended_twice} recipients ended twice": found.ended_twice,
        f"{found.contradicted} pushes were accepted at the gateways, and the ledger denies it":
            found.contradicted,
        f"{found.duplicates} pushes came twice with at_most_once": is_once and found.duplicates,
        f"{found.duplicates} pushes came twice, more than {bound}":
            not is_once and found.duplicates > doubt,
        f"{found.unknown} recipients are unknown, more than {bound}":
            is_once and found.unknown > doubt,
        f"{found.unknown} recipients are unknown with at_least_once":
            not is_once and found.unknown,
        f"everybody could be reached, and some ended otherwise: {others}": others,
        "the campaign did not end by itself": not case.is_finished,
        f"it took {case.seconds:.1f} s, more than {case.limit_seconds:.1f} s":
            case.seconds > case.limit_seconds,
        f"only {case.kills} of {wanted_kills} disturbances were made before the end; "
        "give more --devices, or less --kills": case.kills < wanted_kills,
    }  # fmt: skip
    return list(compress(promises, promises.values()))
