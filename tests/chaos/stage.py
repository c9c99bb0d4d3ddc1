"""A platform under stress: its crew, a crowd of devices, and the books of ledger and gateways."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from api.services.pair import Urls
from core.ids import delivery_id
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.chaos.crew import Crew, crew_of
from tests.deadlines import wait_until
from tests.e2e.scene import Scene, open_scene, settings_for
from tests.fixtures.sandbox import Sandbox

_BATCH = 1_000
_ENDED = text(
    "SELECT l.device_id, l.state FROM ledger l JOIN message m ON m.id = l.message_id "
    "WHERE m.public_id = :id AND l.device_id IS NOT NULL"
)
# Small and quick, so that a test sees many windows and short leases.
_QUICK: dict[str, Any] = {
    "in_doubt_limit": 100,
    "window_size": 50,
    "lease_seconds": 4,
    "lease_margin_seconds": 0.5,
    "retry_floor_seconds": 0.5,
    "log_level": "info",
}


@dataclass(frozen=True, slots=True)
class Books:
    """A message in the ledger, and what the gateways say that they accepted of it."""

    message: dict[str, Any]
    ledger: dict[str, str]  # the push's name on the wire to its terminal state
    gateways: Counter[str]  # the push's name to the number of times accepted

    @property
    def duplicates(self) -> int:
        """How many pushes the gateways accepted again."""
        return self.gateways.total() - len(self.gateways)

    def pushes(self, state: str) -> set[str]:
        """Return the names of the pushes that ended in a state."""
        return {name for name, end in self.ledger.items() if end == state}

    def check(self) -> None:
        """Check what must hold whatever happened: nobody lost, nobody invented."""
        counts = self.message["counts"]
        assert self.message["targeted"] == sum(counts.values()) + self.message["open"], self.message
        assert Counter(self.ledger.values()) == Counter(
            {state: count for state, count in counts.items() if count}
        )
        accepted = set(self.gateways)
        assert self.pushes("accepted") <= accepted, "the ledger invents an acceptance"
        assert accepted - self.pushes("accepted") <= self.pushes("unknown"), "an acceptance is lost"


@dataclass(frozen=True, slots=True)
class Stage:
    """A scene with real processes."""

    scene: Scene
    crew: Crew

    def add_devices(self, count: int) -> None:
        """Register devices that accept everything; two thirds are Android."""
        devices = [_device(number) for number in range(count)]
        for start in range(0, count, _BATCH):
            self.scene.post("/v1/devices/batch", {"devices": devices[start : start + _BATCH]})

    def add_phones(self, count: int, start: int = 0) -> None:
        """Register Android devices that accept everything."""
        devices = [_phone(number) for number in range(start, start + count)]
        for first in range(0, count, _BATCH):
            self.scene.post("/v1/devices/batch", {"devices": devices[first : first + _BATCH]})

    def devices(self, count: int) -> list[str]:
        """Return the ids of some devices."""
        found = self.scene.scalar(
            "SELECT array_agg(public_id) FROM (SELECT public_id FROM device LIMIT :count) AS d",
            count=count,
        )
        return list(found)

    def send(self, **fields: Any) -> str:
        """Send a campaign to everybody and return its id."""
        body = {"to": {"all": True}, "lane": "campaign", "content": {"title": "Hello"}, **fields}
        return str(self.scene.post("/v1/messages", body)["id"])

    def accepted(self) -> int:
        """Return how many pushes the gateways have accepted since the scene was opened."""
        return int(self.scene.sandbox.control.stats()["accepted"])

    def wait_accepted(self, count: int, seconds: float = 60) -> None:
        """Wait until the gateways have accepted so many."""
        wait_until(lambda: self.accepted() >= count, seconds, f"{count} pushes are accepted")

    def wait_state(self, message_id: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until a message is in a state, and return it."""
        wait_until(
            lambda: self.scene.read(message_id)["state"] == state,
            seconds,
            f"the message is {state}",
        )
        return self.scene.read(message_id)

    def wait_end(self, message_id: str, seconds: float = 60) -> Books:
        """Wait until a message has ended, and return its books, which are checked."""

        def has_ended() -> bool:
            return self.scene.read(message_id)["finished_at"] is not None

        wait_until(has_ended, seconds, "the message ends")
        books = self.books(message_id)
        books.check()
        assert books.message["open"] == 0
        return books

    def books(self, message_id: str) -> Books:
        """Return what ledger and gateways say of a message."""
        with self.scene.database.connect() as connection:
            devices = connection.scalars(text("SELECT id FROM device")).all()
            ended = connection.execute(_ENDED, {"id": message_id}).all()
        names = {device: delivery_id(message_id, device) for device in devices}
        ledger = {names[row.device_id]: row.state for row in ended}
        assert len(ledger) == len(ended), "a device ended twice"
        ours = set(names.values())
        accepted = (name for _, name in self.scene.sandbox.control.accepted())
        gateways = Counter(name for name in accepted if name in ours)
        return Books(self.scene.read(message_id), ledger, gateways)


def _phone(number: int) -> dict[str, Any]:
    common = {"installation_id": f"crowd-{number:06}", "permission": "granted"}
    android = {"provider": "fcm", "kind": "token", "platform": "android"}
    return {**common, **android, "token": fcm_token("accepted", number)}


def _device(number: int) -> dict[str, Any]:
    common = {"installation_id": f"crowd-{number:06}", "permission": "granted"}
    if number % 3:
        return _phone(number)
    ios = {"provider": "apns", "kind": "alert", "platform": "ios", "environment": "production"}
    return {**common, **ios, "token": apns_token("accepted", number)}


@contextmanager
def open_stage(urls: Urls, sandbox: Sandbox, folder: Path, **changes: Any) -> Iterator[Stage]:
    """Yield a stage on these servers (migrated) and gateways."""
    servers = (urls.database_url, urls.redis_url, urls.broker_url)
    settings = settings_for(servers, sandbox, **{**_QUICK, **changes})
    with crew_of(settings, folder) as crew, open_scene(settings, sandbox) as scene:
        yield Stage(scene, crew)
