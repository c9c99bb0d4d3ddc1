"""Transactional pushes sent one at a time, evenly, and when each reached the gateway."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.errors import BenchError
from bench.platform import Bench
from delivery.sandbox.client import ControlClient
from delivery.sandbox.tokens import fcm_token

# Beyond the tokens of any campaign, so that the beginning of the token tells them apart.
FIRST_TOKEN = 0xF << 60
# What the gateway calls a push of ours, before the names that it knows by itself.
_KEY = "sample"
_ARRIVAL_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_HEADERS = {"content-type": "application/json"}


def probe_profile() -> dict[str, Any]:
    """Return what the sandbox's profile needs for the arrivals to be noted."""
    return {
        "timed_tokens": [fcm_token("accepted", FIRST_TOKEN)[:7]],
        "message_keys": [_KEY, "carillon_message_id"],
    }


@dataclass(slots=True)
class Probes:
    """Sends to the people of a crowd in turn; keeps when each call began and was answered."""

    bench: Bench
    crowd: str
    people: int
    rate: float
    _sent: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    _count: int = 0

    def send(self, phase: str, *, until: float = math.inf, most: int | None = None) -> int:
        """Send evenly until a moment of Unix time or so many; return how many there were.

        A slot that passes while a call is still unanswered is left out.
        """
        kept = self._sent.setdefault(phase, [])
        start, slot, count = time.time(), 0, 0
        while most is None or count < most:
            slot = max(slot + 1, math.ceil((time.time() - start) * self.rate))
            at = start + slot / self.rate
            if at >= until:
                break
            time.sleep(max(0.0, at - time.time()))
            kept.append(self._one())
            count += 1
        return count

    def count(self, phase: str) -> int:
        """Return how many were sent in a phase."""
        return len(self._sent.get(phase, ()))

    def _one(self) -> tuple[str, float, float]:
        name, person = str(self._count), f"{self.crowd}{self._count % self.people}"
        self._count += 1
        content = {
            "title": "Hello {{ first_name }}",
            "body": "{{ first_name }}, your code is " + name,
            "data": {_KEY: name},
        }
        body = orjson.dumps({"to": {"people": [person]}, "content": content})
        began = time.time()
        answer = self.bench.http.post("/v1/messages", content=body, headers=_HEADERS)
        answered = time.time()
        if answer.status_code != 202:
            raise BenchError(f"a push was answered {answer.status_code}: {answer.text[:500]}")
        return name, began, answered

    def results(self) -> dict[str, dict[str, list[float]]]:
        """Return by phase, in ms: from the call to the `arrival`, and to its `answer`.

        Raises BenchError when a push has not arrived after half a minute.
        """
        arrived = self._arrivals()
        return {
            phase: {
                "arrival": [(arrived[name] - began) * 1e3 for name, began, _ in sent],
                "answer": [(answered - began) * 1e3 for _, began, answered in sent],
            }
            for phase, sent in self._sent.items()
        }

    def _arrivals(self) -> Mapping[str, float]:
        wanted = {name for sent in self._sent.values() for name, _, _ in sent}
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        with ControlClient(self.bench.sandbox) as control:
            while True:
                found: dict[str, float] = {}
                for _, message, at in control.arrivals():
                    # A push that comes twice has arrived when it came first.
                    found.setdefault(message, at)
                missing = wanted - found.keys()
                if not missing:
                    return found
                if time.monotonic() > deadline:
                    raise BenchError(f"{len(missing)} transactional pushes never arrived")
                time.sleep(_LOOK_SECONDS)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not below `share` of all; values must not be empty."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
