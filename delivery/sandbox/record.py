"""What the gateways saw: counters, and an 8-byte hash per accepted (token, message)."""

import os
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

_SPACES = {9: " ", 10: " ", 13: " "}
# Counts per second are kept for an hour or more, arrivals for a long benchmark.
_SECONDS_KEPT, _ARRIVALS_KEPT = 10_000, 1_000_000


def short_hash(data: bytes) -> int:
    """Hash to 8 bytes, the same in every process."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def pair_hash(token: str, message: str) -> int:
    """Hash one (token, message), the unit in which duplicates are counted."""
    return short_hash(f"{token}\0{message}".encode())


class Record:
    """Counters in memory; accepted pairs in full in a file of tab-separated lines."""

    def __init__(self, accepted_file: Path) -> None:
        descriptor = os.open(accepted_file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._path = accepted_file
        self.in_flight = 0
        self._file = os.fdopen(descriptor, "w+b")
        self.reset()

    def close(self) -> None:
        """Write out what is buffered and close the file."""
        self._file.close()

    def reset(self) -> None:
        """Forget everything that was seen; requests under way stay counted as such."""
        self._file.seek(0)
        self._file.truncate()
        self.requests = 0
        self.peak_in_flight = self.in_flight
        self.accepted = 0
        self.validated = 0
        self.duplicates = 0
        self.digest = 0
        self.connections = 0
        self.first_arrival: float | None = None
        self.last_arrival: float | None = None
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.pairs: set[int] = set()
        self.payloads: set[int] = set()
        self.attempts: dict[int, int] = {}
        self.seconds: dict[tuple[int, int], int] = {}
        self.arrivals: list[tuple[str, str, float]] = []

    def arrive(self, now: float) -> None:
        """Count a request to a gateway or the token endpoint as it comes in."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        if self.first_arrival is None:
            self.first_arrival = now
        self.last_arrival = now

    def tally(self, now: float, status: int) -> None:
        """Count a push by the second in which it came and by the status it gets."""
        key = (int(now), status)
        if key in self.seconds:
            self.seconds[key] += 1
            return
        self.seconds[key] = 1
        if len(self.seconds) > _SECONDS_KEPT:
            del self.seconds[next(iter(self.seconds))]

    def note_arrival(self, token: str, message: str, now: float) -> None:
        """Keep when an accepted push of a timed token had been read whole."""
        if len(self.arrivals) < _ARRIVALS_KEPT:
            self.arrivals.append((token, message, now))

    def leave(self) -> None:
        """Count a request as answered or abandoned."""
        self.in_flight -= 1

    def count(self, provider: str, status: int, label: str) -> None:
        """Count an answer."""
        self.answers[provider, status, label] += 1

    def attempt(self, pair: int) -> int:
        """Count an attempt of a push whose outcome depends on it; 1 is the first."""
        self.attempts[pair] = self.attempts.get(pair, 0) + 1
        return self.attempts[pair]

    def accept(self, pair: int, body: bytes) -> None:
        """Count an accepted push; a pair that was accepted before is a duplicate."""
        self.accepted += 1
        if pair in self.pairs:
            self.duplicates += 1
        else:
            self.pairs.add(pair)
            self.digest ^= pair
        self.payloads.add(short_hash(body))

    def write_accepted(self, provider: str, token: str, message: str) -> None:
        """Keep an accepted push in full, for exact comparison."""
        line = f"{provider}\t{token.translate(_SPACES)}\t{message.translate(_SPACES)}\n"
        self._file.write(line.encode())

    def read_accepted(self, after: int) -> Iterator[tuple[int, str, str, str]]:
        """Yield (position after the line, provider, token, message) in order of arrival."""
        self._file.flush()
        with self._path.open("rb") as lines:
            lines.seek(after)
            position = after
            for line in lines:
                position += len(line)
                provider, token, message = line.decode().rstrip("\n").split("\t")
                yield position, provider, token, message

    def stats(self) -> dict[str, Any]:
        """Return the counters as JSON values."""
        answers = [
            {"provider": provider, "status": status, "reason": label, "count": count}
            for (provider, status, label), count in sorted(self.answers.items())
        ]
        return {
            "requests": self.requests,
            "accepted": self.accepted,
            "distinct_accepted": len(self.pairs),
            "duplicates": self.duplicates,
            "distinct_payloads": len(self.payloads),
            "accepted_digest": f"{self.digest:016x}",
            "validated": self.validated,
            "oauth_calls": sum(
                count for (provider, _, _), count in self.answers.items() if provider == "oauth"
            ),
            "connections": self.connections,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "first_arrival": self.first_arrival,
            "last_arrival": self.last_arrival,
            "answers": answers,
        }
