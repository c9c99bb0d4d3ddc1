"""What a process holds for its hot doors: writers, their connections, and who was let in."""

from dataclasses import dataclass

from sqlalchemy import Engine

from api.ingest.device_events import DeviceEventWriter
from api.ingest.device_writer import DeviceWriter
from api.ingest.event_writer import EventWriter
from api.ingest.group import Group, Room
from api.ingest.key_cache import KeyCache
from api.ingest.receipt_writer import ReceiptWriter
from core.database import open_engine
from core.secrets import SecretBox
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Ingest:
    """The group commit of one process."""

    engine: Engine
    group: Group
    keys: KeyCache
    events: EventWriter
    devices: DeviceWriter
    told: DeviceEventWriter
    receipts: ReceiptWriter

    def close(self) -> None:
        """Write what has been taken, and give back every connection."""
        self.group.close()
        self.engine.dispose()


def open_ingest(settings: Settings, box: SecretBox) -> Ingest:
    """Return the ingest `settings` name; nothing connects before its first use."""
    engine = open_engine(
        settings.require_database_url(),
        pool_size=settings.ingest_writers,
        pool_timeout_seconds=settings.database_pool_timeout_seconds,
        process="ingest",
        session={
            "lock_timeout": str(round(settings.ingest_lock_seconds * 1_000)),
            # A plan kept from when the tables were empty reads all of an app's rows each time.
            "plan_cache_mode": "force_custom_plan",
        },
    )
    events = EventWriter(engine, settings.event_names_limit)
    room = Room(settings.ingest_queue_items, settings.ingest_queue_bytes)
    return Ingest(
        engine=engine,
        group=Group(settings.ingest_writers, room),
        keys=KeyCache(),
        events=events,
        devices=DeviceWriter(engine, box, settings.idempotency_hours),
        told=DeviceEventWriter(engine, events),
        receipts=ReceiptWriter(engine),
    )
