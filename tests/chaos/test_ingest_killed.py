"""Kill -9 of the ingest process and of PostgreSQL, again and again, under load.

Every event that was answered is there exactly once, and what comes again is called a duplicate.
"""

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from api.commands.migrate import migrate
from api.services.pair import Pair
from api.services.readiness import answers_http, choose_port
from tests.api.doors import AppDoors, open_doors, settings_for
from tests.chaos.crew import Crew, crew_of
from tests.deadlines import note, wait_until

_CLIENTS = 12
_PAUSE_SECONDS = (0.3, 2.0)


@dataclass(slots=True)
class Ledger:
    """What clients sent and heard; each uuid belongs to one client."""

    accepted: Counter[str] = field(default_factory=Counter)
    duplicate: Counter[str] = field(default_factory=Counter)
    in_doubt: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def answered(self) -> set[str]:
        return self.accepted.keys() | self.duplicate.keys()

    def hear(self, name: str, status: str) -> None:
        """Note an answer, and what no honest server would say."""
        if status == "accepted":
            self.accepted[name] += 1
            if name in self.duplicate or self.accepted[name] > 1:
                self.faults.append(f"{name} was accepted again")
        elif status == "duplicate":
            if name not in self.answered() and name not in self.in_doubt:
                self.faults.append(f"{name} was called a duplicate at first sight")
            self.duplicate[name] += 1
        else:
            self.faults.append(f"{name} is {status}")


class Client:
    """Sends events of its own, single and many, until it has an answer for each."""

    def __init__(self, port: int, app: AppDoors, number: int) -> None:
        self.ledger = Ledger()
        self._random = random.Random(number)
        self._url = f"http://127.0.0.1:{port}/v1/events"
        self._headers = app.server
        self._number = number

    def run(self, over: threading.Event) -> Ledger:
        with httpx.Client(timeout=30, trust_env=False) as http:
            while not over.is_set():
                names = [str(uuid.uuid4()) for _ in range(self._random.choice((1, 1, 1, 5, 60)))]
                self._send_until_answered(http, names)
                if self._random.random() < 0.3:
                    again = self._random.sample(sorted(self.ledger.answered()), 1)
                    self._send_until_answered(http, again)
        return self.ledger

    def _send_until_answered(self, http: httpx.Client, names: list[str]) -> None:
        for _ in range(2_000):
            answer = self._send(http, names)
            if answer is not None:
                for name, status in zip(names, answer, strict=True):
                    self.ledger.hear(name, status)
                return
            self.ledger.in_doubt.update(names)
            time.sleep(0.05)
        self.ledger.faults.append("no answer for minutes")

    def _send(self, http: httpx.Client, names: list[str]) -> list[str] | None:
        """Return the status of each event; None when nobody said anything, or a 503."""
        events = [self._event(name) for name in names]
        body: Any = events[0] if len(events) == 1 else {"events": events}
        try:
            answer = http.post(self._url, headers=self._headers, json=body)
        except httpx.TransportError as error:
            self.ledger.failures[type(error).__name__] += 1
            return None
        if answer.status_code == 503:
            assert answer.headers["content-type"] == "application/problem+json"
            self.ledger.failures[answer.json()["code"]] += 1
            return None
        if answer.status_code not in {200, 201, 207}:
            self.ledger.faults.append(answer.text)
            return ["broken"] * len(names)
        document = answer.json()
        return [one["status"] for one in document.get("results", [document])]

    def _event(self, name: str) -> dict[str, Any]:
        person = f"p{self._random.randrange(50)}"
        return {"uuid": name, "name": "tapped", "person": person, "properties": {"n": self._number}}


class Killer:
    """Kills the ingest process and the database by turns, and starts them again."""

    def __init__(self, pair: Pair, crew: Crew, port: int) -> None:
        self._pair = pair
        self._crew = crew
        self._port = port
        self.kills: Counter[str] = Counter()
        self.start_ingest()

    def start_ingest(self) -> None:
        listen = ("--host", "127.0.0.1", "--port", str(self._port), "--no-ws")
        self._member = self._crew._start(
            "granian", "--factory", "api.main:create_app", "--interface", "asgi", *listen
        )
        wait_until(lambda: answers_http(self._port, "/healthz"), 60, "ingest answers")

    def kill_ingest(self) -> None:
        _kill_family(self._member.process.pid)
        self._member.process.wait(30)
        self.kills["ingest"] += 1
        self.start_ingest()

    def kill_postgres(self) -> None:
        _kill_family(self._pair.postgres.pid)
        wait_until(lambda: not self._pair.postgres.is_alive(), 30, "PostgreSQL is dead")
        self.kills["postgres"] += 1
        self._pair.postgres.start()

    def run(self, seconds: float) -> None:
        chance, end = random.Random(7), time.monotonic() + seconds
        for kill in itertools.cycle((self.kill_postgres, self.kill_ingest)):
            time.sleep(chance.uniform(*_PAUSE_SECONDS))
            kill()
            if time.monotonic() > end and len(self.kills) == 2:
                return


def _kill_family(pid: int) -> None:
    head = psutil.Process(pid)
    family = [head, *head.children(recursive=True)]
    for one in family:
        one.kill()
    # The head is our child and is collected by who started it.
    psutil.wait_procs(family[1:], timeout=30)


@contextmanager
def _stage(pair: Pair, folder: Path) -> Iterator[tuple[Killer, AppDoors, int]]:
    migrate(pair.database_url)
    settings = settings_for(pair.database_url, pair.redis_url, api_modules="events")
    port = choose_port()
    with open_doors(settings) as doors:
        app = doors.new_app()
    with crew_of(settings, folder) as crew:
        yield Killer(pair, crew, port), app, port


def _check(pair: Pair, ledgers: list[Ledger]) -> int:
    """Compare what clients heard with what is there; return how many events there are."""
    engine = create_engine(pair.database_url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = Counter(connection.scalars(text("SELECT uuid::text FROM event")))
        keys = set(connection.scalars(text("SELECT uuid::text FROM event_key")))
    heard = set[str]().union(*(ledger.answered() for ledger in ledgers))
    assert [fault for ledger in ledgers for fault in ledger.faults] == []
    assert heard - rows.keys() == set(), "an answered event is lost"
    assert rows.keys() - heard == set(), "an event is there that nobody was told of"
    assert set(rows.values()) == {1}, "an event is there twice"
    assert keys == rows.keys()
    return len(rows)


def _prove(pair: Pair, folder: Path, seconds: float) -> None:
    over = threading.Event()
    with _stage(pair, folder) as (killer, app, port), ThreadPoolExecutor(_CLIENTS) as pool:
        clients = [Client(port, app, number) for number in range(_CLIENTS)]
        running = [pool.submit(client.run, over) for client in clients]
        try:
            killer.run(seconds)
        finally:
            over.set()
        ledgers = [one.result(timeout=120) for one in running]
    count = _check(pair, ledgers)
    failures = sum((ledger.failures for ledger in ledgers), Counter[str]())
    again = sum(ledger.duplicate.total() for ledger in ledgers)
    note(f"{count} events, {again} duplicates, kills {dict(killer.kills)}, {dict(failures)}")
    assert min(killer.kills["ingest"], killer.kills["postgres"]) >= 1
    assert count > 100
    assert again > 0
    assert failures, "nobody noticed that anything was killed"


@pytest.mark.timeout(300)
def test_every_answered_event_is_there_once(own_pair: Pair, tmp_path: Path) -> None:
    _prove(own_pair, tmp_path, 20)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_answered_event_is_there_once_at_length(own_pair: Pair, tmp_path: Path) -> None:
    _prove(own_pair, tmp_path, 300)
