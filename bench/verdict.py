"""Whether what a sender says of its pushes agrees with what the server did; pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count

from bench.senders.soaking import AMBIGUOUS, ANSWERED, NOT_PROCESSED

_GROWTH_MB = 16.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`processed_at_server` counts pushes the server took, `double` those it took twice."""

    sent: int
    answered: int
    not_processed: int
    ambiguous: int
    processed_at_server: int
    not_processed_but_processed: int
    answered_but_not_processed: int
    double: int

    def broken(self) -> list[str]:
        """Return in words what does not add up."""
        ended = self.answered + self.not_processed + self.ambiguous
        found = {
            f"{self.sent} were sent, {ended} ended": ended != self.sent,
            f"{self.not_processed_but_processed} were called not processed, and were processed":
                self.not_processed_but_processed,
            f"{self.answered_but_not_processed} were called answered, and were not processed":
                self.answered_but_not_processed,
            f"{self.double} were processed twice": self.double,
        }  # fmt: skip
        return list(compress(found, found.values()))


def judge(outcomes: bytes, processed: Sequence[int]) -> Verdict:
    """Compare the outcome of each push, by its number, with the numbers the server processed."""
    times = Counter(processed)
    of = {kind: set(_numbers(outcomes, kind)) for kind in (ANSWERED, NOT_PROCESSED)}
    return Verdict(
        sent=len(outcomes),
        answered=len(of[ANSWERED]),
        not_processed=len(of[NOT_PROCESSED]),
        ambiguous=outcomes.count(AMBIGUOUS),
        processed_at_server=len(processed),
        not_processed_but_processed=len(of[NOT_PROCESSED] & times.keys()),
        answered_but_not_processed=len(of[ANSWERED] - times.keys()),
        double=sum(number > 1 for number in times.values()),
    )


def has_grown(start_mb: float, end_mb: float) -> bool:
    """Tell whether memory grew by more than the noise of an allocator."""
    return end_mb - start_mb > _GROWTH_MB


def _numbers(outcomes: bytes, kind: int) -> Iterator[int]:
    return compress(count(), map(kind.__eq__, outcomes))
