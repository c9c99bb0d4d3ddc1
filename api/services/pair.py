"""The embedded pair: a real PostgreSQL and a real Redis-protocol server beside this process."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from api.services.claim import claimed, is_held
from api.services.places import kept_from_cleaners, remove_data, settle
from api.services.postgres import Postgres
from api.services.processes import ProcessBook
from api.services.signals import stopping_cleanly, uninterrupted
from api.services.valkey import Valkey

_URLS = "urls.json"


def say_on_stderr(line: str) -> None:
    """Print one line for the person who waits; stdout stays for results."""
    sys.stderr.write(f"carillon: {line}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """How to run the pair.

    `folder` is the state folder: data, logs, records, lock. With `durable=False` PostgreSQL does
    not wait for the disk: for tests only. With `fresh=True` the folder is emptied first and the
    database removed at the end.
    """

    folder: Path
    durable: bool = True
    fresh: bool = False
    say: Callable[[str], None] = say_on_stderr


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses of PostgreSQL, of Redis for redis-py, and of the broker for Celery."""

    database_url: str
    redis_url: str
    broker_url: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The two running servers, and the book in which further processes may be recorded."""

    postgres: Postgres
    valkey: Valkey
    book: ProcessBook

    @property
    def urls(self) -> Urls:
        """The three addresses that applications need."""
        return Urls(self.database_url, self.redis_url, self.broker_url)

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database `carillon`."""
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        """redis-py's URL of the caches and permits."""
        return self.valkey.url()

    @property
    def broker_url(self) -> str:
        """Celery's URL of the queues."""
        return self.valkey.broker_url()

    def revive(self) -> list[str]:
        """Start again what has died by itself, and return its names."""
        dead = [
            (name, server)
            for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey))
            if not server.is_alive()
        ]
        for _, server in dead:
            server.start()
        return [name for name, _ in dead]


@contextlib.contextmanager
def embedded_pair(options: EmbeddedOptions) -> Iterator[Pair]:
    """Hold the state folder and run the pair in it; stop both, Valkey first, at the end."""
    with (
        stopping_cleanly(),
        claimed(options.folder, fresh=options.fresh) as book,
        running_pair(book, options) as pair,
    ):
        yield pair


@contextlib.contextmanager
def running_pair(book: ProcessBook, options: EmbeddedOptions) -> Iterator[Pair]:
    """Run the pair in a state folder that is held already."""
    places = settle(book.folder, options.say)
    pair = Pair(Postgres(book, places, durable=options.durable), Valkey(book, places), book)
    notice = book.folder / "run" / _URLS
    try:
        with kept_from_cleaners(places.data):
            pair.postgres.start()
            pair.valkey.start()
            notice.write_text(json.dumps(asdict(pair.urls)))
            yield pair
    finally:
        with uninterrupted():
            notice.unlink(missing_ok=True)
            pair.valkey.stop()
            pair.postgres.stop()
            if options.fresh:
                remove_data(book.folder)


def urls_of_running(folder: Path) -> Urls | None:
    """Return the addresses of the pair that another process runs in `folder`, if one does."""
    if not is_held(folder):
        return None
    try:
        return Urls(**json.loads((folder / "run" / _URLS).read_text()))
    except FileNotFoundError:
        return None
