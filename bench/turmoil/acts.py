"""How each disturbance is made and undone; every one runs in a thread of its own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import psutil
import psycopg
import redis

from bench.errors import BenchError
from bench.turmoil.doubt import doubtful
from bench.turmoil.plan import Disturbance, Kind
from bench.turmoil.servers import Switch
from bench.turmoil.stage import Stage

_LOOK_SECONDS = 0.02
# A worker with pushes on their way is waited for so long, then any will do.
_IN_FLIGHT_SECONDS = 10.0
_WORKER_SECONDS = 60.0
_AFTERMATH_SECONDS = 2.0
_DATABASE_SECONDS = 60.0
_DISCONNECT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Done:
    """What was done: to whom, and how many times a worker's room was in doubt by it."""

    target: str
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Acts:
    """Makes disturbances on a stage. Once `over` is set, all that goes on is undone at once.

    Two disturbances of one server come one after the other, all others side by side.
    """

    stage: Stage
    policy: str
    over: threading.Event = field(default_factory=threading.Event)
    _choosing: threading.Lock = field(default_factory=threading.Lock)
    _redis: threading.Lock = field(default_factory=threading.Lock)
    _broker: threading.Lock = field(default_factory=threading.Lock)
    _database: threading.Lock = field(default_factory=threading.Lock)
    _gateway: threading.Lock = field(default_factory=threading.Lock)

    def make(self, wanted: Disturbance) -> Done:
        """Make a disturbance and undo what is to be undone; return what was done."""
        acts: Mapping[Kind, Callable[[Disturbance], Done]] = {
            Kind.WORKER_KILL: self._kill_worker,
            Kind.WORKER_PAUSE: self._pause_worker,
            Kind.REDIS_WIPE: self._wipe_redis,
            Kind.REDIS_STOP: self._stop_redis,
            Kind.DATABASE_RESTART: self._restart_database,
            Kind.DATABASE_DISCONNECT: self._disconnect_database,
            Kind.BROKER_STOP: self._stop_broker,
            Kind.GATEWAY_FREEZE: self._freeze_gateways,
            Kind.GATEWAY_RESET: self._reset_gateways,
        }
        return acts[wanted.kind](wanted)

    def _kill_worker(self, wanted: Disturbance) -> Done:
        relay = self.stage.relay
        with self._choosing:
            worker = self._choose_worker(wanted.draw)
            # As when a machine dies, not only a process: what is on the wire is lost, too.
            links = relay.links(_ports(worker)) if wanted.seconds else []
            losing = threading.Thread(target=relay.lose, args=(links, wanted.seconds))
            losing.start()
            self.over.wait(wanted.seconds)
            worker.kill()
            losing.join()
        return Done(self._name(worker), self._doubts_of(worker))

    def _pause_worker(self, wanted: Disturbance) -> Done:
        with self._choosing:
            worker = self._choose_worker(wanted.draw)
            worker.suspend()
        try:
            done = Done(self._name(worker), self._doubts_of(worker))
            self.over.wait(wanted.seconds)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.resume()
        return done

    def _wipe_redis(self, _wanted: Disturbance) -> Done:
        with self._redis, redis.Redis.from_url(self.stage.servers.urls.redis_url) as client:
            client.flushall()
        return Done("redis")

    def _stop_redis(self, wanted: Disturbance) -> Done:
        with self._redis, self._stopped(self.stage.servers.redis, wanted.seconds):
            return Done("redis")

    def _stop_broker(self, wanted: Disturbance) -> Done:
        with self._broker, self._stopped(self.stage.servers.broker, wanted.seconds):
            return Done("broker")

    def _restart_database(self, wanted: Disturbance) -> Done:
        with self._database, self._stopped(self.stage.servers.database, wanted.seconds):
            return Done("database")

    def _disconnect_database(self, _wanted: Disturbance) -> Done:
        url = self.stage.servers.urls.database_url.replace("+psycopg", "", 1)
        with self._database, psycopg.connect(url) as connection:
            connection.execute(_DISCONNECT)
        return Done("database")

    def _freeze_gateways(self, wanted: Disturbance) -> Done:
        gateways = self.stage.gateway_process
        with self._gateway:
            found = self._doubtful_workers()
            began = time.monotonic()
            gateways.suspend()
            try:
                self.over.wait(wanted.seconds)
            finally:
                gateways.resume()
            lasted = time.monotonic() - began
            # Who has sent to the frozen gateways is in doubt as well.
            found |= self._doubtful_workers()
        return Done("gateways", len(found) * self.stage.pace.doubts_in_freeze(lasted))

    def _reset_gateways(self, wanted: Disturbance) -> Done:
        found = self._doubtful_workers()
        links = self.stage.relay.links()
        self.stage.relay.lose(links, wanted.seconds)
        # Some may have begun to send meanwhile.
        found |= self._doubtful_workers()
        return Done(f"{len(links)} connections", len(found))

    @contextlib.contextmanager
    def _stopped(self, switch: Switch | None, seconds: float) -> Iterator[None]:
        if switch is None:
            raise BenchError("a server that is not ours is not stopped")
        switch.stop()
        yield
        if not self.over.wait(seconds):
            switch.start()

    def _choose_worker(self, draw: float) -> psutil.Process:
        """Return a worker with windows open, if one comes to have some."""
        began = time.monotonic()
        while not self.over.is_set():
            living = self.stage.workers()
            owners = self._doubtful()
            with_windows = [one for one in living if self.stage.owner(one) in owners]
            waited = time.monotonic() - began
            chosen = with_windows or (living if waited > _IN_FLIGHT_SECONDS else [])
            if chosen:
                return chosen[int(draw * len(chosen))]
            if waited > _WORKER_SECONDS:
                raise BenchError("no worker lives any more")
            self.over.wait(_LOOK_SECONDS)
        raise BenchError("it is over")

    def _doubts_of(self, worker: psutil.Process) -> int:
        """Tell whether a worker that does nothing any more has left pushes in doubt: 0 or 1.

        A step that it sent to the database may be recorded a moment after its end.
        """
        owner, deadline = self.stage.owner(worker), time.monotonic() + _AFTERMATH_SECONDS
        while owner not in self._doubtful():
            if self.over.wait(_LOOK_SECONDS) or time.monotonic() > deadline:
                return 0
        return 1

    def _doubtful_workers(self) -> set[int]:
        owners = self._doubtful()
        return {one.pid for one in self.stage.workers() if self.stage.owner(one) in owners}

    def _doubtful(self) -> Mapping[str, int]:
        deadline = time.monotonic() + _DATABASE_SECONDS
        while True:
            try:
                return doubtful(self.stage.servers.urls.database_url, self.policy)
            except psycopg.OperationalError:
                # It is away: what it said last, it will say again.
                if self.over.wait(_LOOK_SECONDS) or time.monotonic() > deadline:
                    raise

    def _name(self, worker: psutil.Process) -> str:
        names = {self.stage.supervisor.pid(name): name for name in self.stage.worker_names}
        return names.get(worker.pid, "a worker")


def _ports(process: psutil.Process) -> set[int]:
    """Return the ports of a process's own TCP connections."""
    return {connection.laddr.port for connection in process.net_connections("tcp")}
