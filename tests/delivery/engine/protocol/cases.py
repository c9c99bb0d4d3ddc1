"""The worlds that are walked through: small enough to be walked whole, each with its trouble."""

from dataclasses import dataclass

from tests.delivery.engine.protocol.worker import Code
from tests.delivery.engine.protocol.world import World

POLICIES = ("at_most_once", "at_least_once")


@dataclass(frozen=True)
class Case:
    """A world, and how many states it has at least under each policy: fewer would prove less."""

    recipients: int
    answers: str
    events: str
    states: tuple[int, ...]
    in_doubt_limit: int = 1
    workers: int = 1

    @property
    def may_expire(self) -> bool:
        """Tell whether messages reach their hard end there."""
        return "expire" in self.events

    def of(self, policy: str, code: Code | None = None) -> World:
        """Return the world under a policy, with workers that run this code."""
        return World(
            policy,
            self.recipients,
            tuple(name.replace("_", " ") for name in self.answers.split()),
            frozenset(self.events.split()),
            self.in_doubt_limit,
            self.workers,
            code or Code(),
        )


ALONE = Case(2, "", "", (50, 100), in_doubt_limit=2)
DYING = Case(2, "", "crash", (4_000, 17_000))
AWAY = Case(1, "", "crash lost late", (3_500, 13_000))
IN_VAIN = Case(2, "", "suppress permits defect drain", (700, 1_000))
ANSWERS = Case(1, "rejected busy unreached timeout withdrawn", "crash", (150, 700))
PEOPLE = Case(1, "busy timeout", "crash pause cancel expire", (1_000, 5_000))
REFUSED = Case(1, "key_refused", "crash expire", (170, 700))
TRIED = Case(2, "busy timeout rejected", "", (2_000, 6_000), in_doubt_limit=2)
SHORT = {
    "a worker dies": DYING,
    "PostgreSQL does not answer": AWAY,
    "windows are prepared in vain": IN_VAIN,
    "a gateway gives every answer": ANSWERS,
    "two are tried again": TRIED,
    "people interfere": PEOPLE,
    "the key is refused": REFUSED,
}
LONG = {
    "two workers": Case(2, "busy", "", (13_000, 250_000), workers=2),
    "three recipients": Case(3, "", "crash", (20_000, 200_000)),
    "windows of two while PostgreSQL is away": Case(
        2, "", "crash lost", (49_000, 100_000), in_doubt_limit=2
    ),
    "everything happens to one": Case(
        1, "rejected busy timeout key_refused",
        "crash lost suppress permits defect drain pause cancel expire", (1, 1),
    ),
}  # fmt: skip
