"""One campaign from its call to its end, with a plan of disturbances made on its way."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from api.services.pair import say_on_stderr
from api.services.signals import uninterrupted
from bench.audience import CONTENT
from bench.errors import BenchError
from bench.turmoil.acts import Acts, Done
from bench.turmoil.books import Books, read_books
from bench.turmoil.plan import Disturbance
from bench.turmoil.stage import Stage
from delivery.sandbox.client import ControlClient

_LOOK_SECONDS = 0.05
_ASK_SECONDS = 0.25
_IDLE_SECONDS = 5.0
_QUIET_SECONDS = 2.0
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What to send: to everybody, as quickly as `rate` allows, and when to give up waiting."""

    policy: str
    rate: float
    devices: int
    limit_seconds: float


@dataclass(slots=True)
class Made:
    """A disturbance that was begun: when, how far the campaign was, and what became of it."""

    wanted: Disturbance
    at_seconds: float
    at_progress: int
    at_gateways: int  # pushes that had arrived there and were not answered yet
    future: "Future[tuple[Done, float]]"

    def report(self) -> dict[str, Any]:
        """Return it for whoever reads the result."""
        done, seconds = self.future.result()
        return {
            "kind": self.wanted.kind.value,
            "at_seconds": round(self.at_seconds, 2),
            "at_progress": self.at_progress,
            "at_gateways": self.at_gateways,
            "seconds": round(seconds, 2),
            **asdict(done),
        }


class Ordeal:
    """Sends one campaign on a stage and disturbs it; the books are read when all is quiet."""

    def __init__(self, stage: Stage, sent: Sent) -> None:
        self._stage = stage
        self._sent = sent
        self._progress = self._at_gateways = 0
        self._idle_since: float | None = None
        self._made: list[Made] = []

    def run(self, plan: Sequence[Disturbance]) -> tuple[Books, list[dict[str, Any]]]:
        """Send, disturb, wait for the end, and return the books and what was done."""
        with ControlClient(self._stage.gateways) as control:
            control.reset()
        body = {"to": {"all": True}, "lane": "campaign", "content": CONTENT}
        pace = {"policy": self._sent.policy, "rate_per_second": self._sent.rate}
        message_id = self._stage.site.call("POST", "/v1/messages", {**body, **pace})["id"]
        self._disturb(message_id, deque(plan))
        self._wait_quiet()
        books = read_books(self._stage.servers.urls.database_url, self._stage.gateways, message_id)
        return books, [made.report() for made in self._made]

    def _disturb(self, message_id: str, plan: deque[Disturbance]) -> None:
        ended = threading.Event()
        acts = Acts(self._stage, self._sent.policy)
        began = time.monotonic()
        with (
            ControlClient(self._stage.gateways) as control,
            _asking(lambda: self._ask_gateways(control), _LOOK_SECONDS),
            _asking(lambda: self._ask_message(message_id, ended), _ASK_SECONDS),
            _threads(acts, len(plan)) as pool,
        ):
            while not ended.is_set() and time.monotonic() - began < self._sent.limit_seconds:
                self._step(pool, acts, plan, time.monotonic() - began)
                ended.wait(_LOOK_SECONDS)
            self._finish_acts()

    def _step(
        self, pool: ThreadPoolExecutor, acts: Acts, plan: deque[Disturbance], now: float
    ) -> None:
        self._stage.supervisor.tend()
        for made in self._made:
            if made.future.done():
                made.future.result()
        while plan and self._is_due(plan[0], now):
            wanted = plan.popleft()
            say_on_stderr(f"{now:6.1f} s  {self._progress:>8,} pushes  {wanted.kind}")
            future = pool.submit(_timed, acts, wanted)
            self._made.append(Made(wanted, now, self._progress, self._at_gateways, future))

    def _is_due(self, wanted: Disturbance, now: float) -> bool:
        if wanted.after_seconds is not None:
            return now >= self._made[-1].at_seconds + wanted.after_seconds
        if self._progress < wanted.at_share * self._sent.devices:
            return False
        # With windows open, unless there are none for long: then something else goes on.
        if self._at_gateways:
            self._idle_since = None
            return True
        self._idle_since = self._idle_since or now
        return now > self._idle_since + _IDLE_SECONDS

    def _finish_acts(self) -> None:
        """Wait until what goes on has been undone: a paused worker may still write then."""
        while not all(made.future.done() for made in self._made):
            self._stage.supervisor.tend()
            time.sleep(_LOOK_SECONDS)

    def _ask_gateways(self, control: ControlClient) -> None:
        found = control.stats()
        self._at_gateways = int(found["in_flight"])
        self._progress = max(self._progress, int(found["accepted"]))

    def _ask_message(self, message_id: str, ended: threading.Event) -> None:
        answer = self._stage.site.http.get(f"/v1/messages/{message_id}")
        if not answer.is_success:
            return
        message = answer.json()
        # Who is unknown may never be accepted.
        self._progress = max(self._progress, sum(message["counts"].values()))
        if message["finished_at"] is not None:
            ended.set()

    def _wait_quiet(self) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        with ControlClient(self._stage.gateways) as control:
            last, since = -1, time.monotonic()
            while time.monotonic() < since + _QUIET_SECONDS:
                if time.monotonic() > deadline:
                    raise BenchError("the gateways still get pushes long after the end")
                found = control.stats()
                if found["accepted"] != last or found["in_flight"]:
                    last, since = found["accepted"], time.monotonic()
                time.sleep(_LOOK_SECONDS)


def _timed(acts: Acts, wanted: Disturbance) -> tuple[Done, float]:
    began = time.monotonic()
    return acts.make(wanted), time.monotonic() - began


@contextlib.contextmanager
def _threads(acts: Acts, count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads for so many acts; whatever ends the block ends what they do."""
    with ThreadPoolExecutor(max(1, count), thread_name_prefix="act") as pool:
        try:
            yield pool
        finally:
            with uninterrupted():
                acts.over.set()
                pool.shutdown()


@contextlib.contextmanager
def _asking(ask: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Ask again and again beside the block; who does not answer is asked later."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause_seconds):
            with contextlib.suppress(httpx.HTTPError):
                ask()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
