"""When refusals of tokens say more of their credential than of the tokens; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

# The reason of a pause that no probe can end: a gateway tells what it thinks of tokens only when
# something is sent to them.
FLEET_GUARD = "fleet_guard"
# What begins in the middle of a campaign is noticed within this part of the time, too.
_SHORT_SPAN = 1 / 10
_CHECKS = {
    "apns": "Check whether the credential is for production or development, its bundle id, and "
    "the gateway's address.",
    "fcm": "Check that the service account belongs to the Firebase project that the app is built "
    "with, and the gateway's address.",
}


@dataclass(frozen=True, slots=True)
class Span:
    """What came within some time: answers about tokens, and how many of them refused the token.

    A gateway that says that a registration has ended is believed: that is no refusal.
    """

    answers: int
    refused: int


@dataclass(frozen=True, slots=True)
class GuardRules:
    """From which share of how many answers on, and within how long a time."""

    share: float
    answers: int
    seconds: float

    @property
    def spans_seconds(self) -> tuple[float, float]:
        """The two times that are looked at, the longer first."""
        return self.seconds, self.seconds * _SHORT_SPAN

    @property
    def head_start(self) -> int:
        """How many pushes a worker may have on their way before it knows anything."""
        return max(1, self.answers // 4)

    def is_failing(self, span: Span, least: int) -> bool:
        """Tell whether too many of at least so many answers refused the token."""
        return span.answers >= least and span.refused >= self.share * span.answers

    def is_tripped(self, spans: Sequence[Span]) -> bool:
        """Tell whether the credential must pause."""
        return any(self.is_failing(span, self.answers) for span in spans)


def guard_words(provider: str, span: Span, reasons: Sequence[str]) -> str:
    """Return why a credential pauses, and what to do, for people."""
    said = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"{span.refused:,} of the last {span.answers:,} answers refuse the token{said}: that many "
        f"tokens are rarely wrong by themselves. {_CHECKS.get(provider, '')} No token was harmed: "
        "what was noted about them is taken back. Once it is mended, resume the credential; if "
        "they really are wrong, resume it with trust_refusals."
    )
