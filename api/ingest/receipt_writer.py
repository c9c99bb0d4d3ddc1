"""Writing receipts of one app together: which device speaks, then what it says."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from api.ingest.writing import write_together
from core.errors import CarillonError, NotFoundError, UnavailableError
from core.telemetry import log_event
from delivery.devices import repository as devices
from delivery.devices.device import Device
from delivery.devices.service import Claim, check_claim
from delivery.receipts import service
from delivery.receipts.receipt import Fate, Receipt

_LATER = "Receipts can not be stored now. Nothing was stored: send them again later."
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt as it came: from a device (its public id and what it shows), or from a server."""

    receipt: Receipt
    device: str | None = None
    claim: Claim | None = None


class ReceiptWriter:
    """Writes the receipts of one app; runs in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, app_id: int, reported: Sequence[Reported]) -> Sequence[Fate | Exception]:
        """Return what became of each receipt, in order, or what is wrong with its device."""

        def work(items: Sequence[Reported]) -> Sequence[Fate | CarillonError]:
            try:
                with self._engine.begin() as connection:
                    return _take(connection, app_id, items)
            except DBAPIError as error:
                if isinstance(error, OperationalError) or isinstance(error.orig, UniqueViolation):
                    raise
                # All that a sender decides was checked, so it is a fault of ours. Nothing is
                # stored, and a phone that is told to come again loses nothing.
                log_event(_LOGGER, "receipts.refused", error=type(error.orig).__name__)
                raise UnavailableError(_LATER) from error

        return write_together(work, reported, lambda _item, _error: UnavailableError(_LATER))


def _take(
    connection: Connection, app_id: int, reported: Sequence[Reported]
) -> Sequence[Fate | CarillonError]:
    names = sorted({one.device for one in reported if one.device is not None})
    found = devices.find_all(connection, app_id, names) if names else ()
    known = {one.public_id: one for one in found}
    judged = [_judge(one, known) for one in reported]
    good = [one for one in judged if isinstance(one, Receipt)]
    fates = iter(service.take(connection, app_id, good)) if good else iter(())
    return [next(fates) if isinstance(one, Receipt) else one for one in judged]


def _judge(reported: Reported, known: dict[str, Device]) -> Receipt | CarillonError:
    if reported.device is None or reported.claim is None:
        return reported.receipt
    device = known.get(reported.device)
    if device is None:
        return NotFoundError()
    try:
        check_claim(device, reported.claim)
    except CarillonError as error:
        return error
    return replace(reported.receipt, device_id=device.id)
