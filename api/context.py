"""What a running API process holds: opened once by the factory, handed to every request."""

from dataclasses import dataclass

from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from api.export_slots import ExportSlots
from api.ingest.ingest import Ingest, open_ingest
from core.database import open_engine
from core.queue import Nudger, create_queue
from core.secrets import SecretBox
from core.settings import Settings

_REDIS_TIMEOUT_SECONDS = 2.0
# Of the connections, so that most stay for what is answered at once.
_SHARE_OF_EXPORTS = 4


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, stores and keys of one API process."""

    settings: Settings
    engine: Engine
    redis: Redis
    queue: Celery
    nudger: Nudger
    box: SecretBox
    ingest: Ingest
    exports: ExportSlots


def open_services(settings: Settings) -> Services:
    """Return the services `settings` name; nothing connects before its first use."""
    box = SecretBox(settings.require_secret_keys())
    queue = create_queue(settings.require_broker_url(), settings.queue_prefix)
    return Services(
        settings=settings,
        engine=open_engine(
            settings.require_database_url(),
            pool_size=settings.database_pool_size,
            pool_timeout_seconds=settings.database_pool_timeout_seconds,
            process="api",
        ),
        redis=Redis.from_url(
            settings.require_redis_url(),
            socket_timeout=_REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=_REDIS_TIMEOUT_SECONDS,
            # Nobody may wait for a cache that is away.
            retry=Retry(NoBackoff(), 0),
        ),
        queue=queue,
        nudger=Nudger(queue),
        box=box,
        ingest=open_ingest(settings, box),
        exports=ExportSlots(
            settings.export_max_files, max(1, settings.database_pool_size // _SHARE_OF_EXPORTS)
        ),
    )


def close_services(services: Services) -> None:
    """Give back every connection."""
    services.ingest.close()
    services.engine.dispose()
    services.redis.close()
    services.nudger.close()
    services.queue.close()
