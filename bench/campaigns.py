"""Campaigns that run while something else is measured, and what became of them."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from bench.audience import CONTENT
from bench.errors import BenchError
from bench.platform import Bench
from delivery.sandbox.client import ControlClient

_LOOK_SECONDS = 0.2
_CUT_SECONDS = 300.0
_END_SECONDS = 180.0
_STOCK_TURNS = 10


@dataclass(slots=True)
class Campaigns:
    """Messages to everybody, sent one after another in the order in which they were made."""

    bench: Bench
    _ids: list[str] = field(default_factory=list)

    def make(self, count: int) -> list[str]:
        """Make so many campaigns, and leave it to the scheduler to cut their audiences."""
        wanted = {"to": {"all": True}, "lane": "campaign", "content": CONTENT}
        made = [self.bench.call("POST", "/v1/messages", wanted)["id"] for _ in range(count)]
        self._ids += made
        return made

    def add(self, count: int = 1) -> None:
        """Make so many campaigns and wait until their audiences are cut."""
        made = self.make(count)
        deadline = time.monotonic() + _CUT_SECONDS
        for one in made:
            while self._read(one)["targeted"] is None:
                if time.monotonic() > deadline:
                    raise BenchError("the scheduler does not cut the campaigns")
                time.sleep(_LOOK_SECONDS)

    def stock(self, least: float, wanted: float) -> None:
        """When fewer than `least` pushes are left, make campaigns until `wanted` are."""
        for _ in range(_STOCK_TURNS):
            documents = [self._read(one) for one in self._ids]
            left = sum(one["targeted"] - sum(one["counts"].values()) for one in documents)
            if left >= least:
                return
            self.add(math.ceil((wanted - left) / documents[0]["targeted"]))
        raise BenchError("campaigns are sent more quickly than they are cut: give more --devices")

    def are_over(self) -> bool:
        """Tell whether the last campaign has ended."""
        return self._read(self._ids[-1])["finished_at"] is not None

    def end(self) -> None:
        """Cancel what is left and wait until every recipient has an end."""
        for one in self._ids:
            if self._read(one)["finished_at"] is None:
                self.bench.call("POST", f"/v1/messages/{one}/cancel")
        for one in self._ids:
            self._wait_end(one)

    def judge(self, others: int = 0) -> dict[str, int]:
        """Return what was `lost` or came twice by the gateway's count; call `end` before.

        `others` is how many pushes beside the campaigns' were accepted.
        """
        ended = [self._read(one) for one in self._ids]
        without_end = sum(one["targeted"] - sum(one["counts"].values()) for one in ended)
        accepted = sum(one["counts"]["accepted"] for one in ended) + others
        with ControlClient(self.bench.sandbox) as control:
            seen = control.stats()
        never_seen = max(0, accepted - seen["distinct_accepted"])
        return {"lost": without_end + never_seen, "duplicates": seen["duplicates"]}

    def _read(self, message_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bench.call("GET", f"/v1/messages/{message_id}")
        return found

    def _wait_end(self, message_id: str) -> None:
        deadline = time.monotonic() + _END_SECONDS
        while self._read(message_id)["finished_at"] is None:
            if time.monotonic() > deadline:
                raise BenchError(f"a campaign did not end within {_END_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)
