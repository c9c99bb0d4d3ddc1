"""The scheduler process: `python -m api.scheduler`. Two or more may be active at once."""

import logging
import signal
import threading
from collections.abc import Callable

from apscheduler.schedulers.background import BackgroundScheduler

from api.duties import Duties
from api.garbage import settle
from api.probing import ProbeDuty, prober_of
from core.database import open_engine
from core.queue import Nudger, create_queue
from core.secrets import SecretBox
from core.settings import read_settings
from core.telemetry import configure_logging, log_event

_LOGGER = logging.getLogger(__name__)
_DUE_SECONDS = 0.5
_ROLL_UP_SECONDS = 1.0
_SWEEP_SECONDS = 2.0
_PROBE_SECONDS = 1.0
_PROFILE_SECONDS = 5.0
_SETTLE_SECONDS = 0.2
_COMPARE_SECONDS = 10.0
_HOUSE_SECONDS = 3_600.0
_POOL_SIZE = 6


def build_scheduler(duties: Duties, probes: ProbeDuty) -> BackgroundScheduler:
    """Return the scheduler with its ticks; a tick that is still running is not started again."""
    scheduler = BackgroundScheduler(timezone="UTC")
    ticks: tuple[tuple[Callable[[], object], float], ...] = (
        (duties.cut_due, _DUE_SECONDS),
        (duties.post_ends, _DUE_SECONDS),
        (duties.roll_up, _ROLL_UP_SECONDS),
        (duties.sweep, _SWEEP_SECONDS),
        (duties.guard_tokens, _SWEEP_SECONDS),
        (probes.run, _PROBE_SECONDS),
        (duties.profile_attributes, _PROFILE_SECONDS),
        (duties.settle_segments, _SETTLE_SECONDS),
        (duties.compare_segments, _COMPARE_SECONDS),
        (duties.keep_house, _HOUSE_SECONDS),
    )
    for tick, seconds in ticks:
        scheduler.add_job(
            tick, "interval", seconds=seconds, max_instances=1, coalesce=True, misfire_grace_time=60
        )
    return scheduler


def main() -> None:
    """Run the ticks until SIGTERM or SIGINT; a tick that fails is logged and comes again."""
    settings = read_settings()
    configure_logging(settings.log_level)
    # APScheduler says at info what every tick does.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    engine = open_engine(settings.require_database_url(), pool_size=_POOL_SIZE, process="scheduler")
    queue = create_queue(settings.require_broker_url(), settings.queue_prefix)
    nudger = Nudger(queue)
    duties = Duties(settings, engine, nudger)
    box = SecretBox(settings.require_secret_keys())
    probes = ProbeDuty(engine, box, prober_of(settings), nudger)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    scheduler = build_scheduler(duties, probes)
    settle()
    scheduler.start()
    scheduler.add_job(duties.keep_house)
    log_event(_LOGGER, "scheduler.started")
    stopped.wait()
    scheduler.shutdown(wait=True)
    engine.dispose()


if __name__ == "__main__":
    main()
