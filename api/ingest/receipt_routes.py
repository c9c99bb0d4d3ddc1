"""Receipts: `POST /v1/receipts`, single or many. Phones say what arrived and what was opened."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.answers import json_response, to_json
from api.calls import KEY
from api.context import Services
from api.ingest.hot_route import HotRoute, admitted
from api.ingest.item_schemas import item_answers
from api.ingest.items import answer_items, read_body_of, rejected, stored
from api.ingest.receipt_bodies import (
    BATCH_ANSWER,
    REQUEST_BODY,
    SINGLE_ANSWER,
    ReceiptBatchResult,
    ReceiptResult,
)
from api.ingest.receipt_reader import Faults, Reading, read_receipt
from api.ingest.receipt_writer import Reported
from api.ingest.speaking import speaking_device, take_device
from core.errors import FieldError, InvalidPayloadError
from delivery.deliveries.service import DeliveryNotFoundError
from delivery.receipts.receipt import Fate, Receipt

router = APIRouter(prefix="/v1/receipts", tags=["Deliveries"], route_class=HotRoute)

_SCOPE = "devices:write"
_LIST = "receipts"
_UNKNOWN = FieldError(
    "/delivery_id", "unknown_delivery", "Nothing was sent under this id to this device."
)
_Read = list[Receipt | Faults]


@router.post(
    "",
    status_code=201,
    response_model=ReceiptResult,
    dependencies=[KEY, Depends(take_device)],
    openapi_extra={"requestBody": REQUEST_BODY},
    responses=item_answers(
        SINGLE_ANSWER, BATCH_ANSWER, (ReceiptResult, ReceiptBatchResult), "receipt"
    ),
)
async def take_receipts(request: Request) -> Response:
    """Store that a push has arrived or was opened, or up to 1,000 of that.

    A phone sends with the client key, and with the id and the secret of its device: it can speak
    of what was sent to it alone. A server's key with `devices:write` speaks for all devices. To
    repeat a receipt changes nothing and is answered `duplicate`, at any time: send it again
    whenever no answer came, or a 503. What was opened counts as arrived, too.
    """
    app = admitted(request, _SCOPE, client=True)
    services: Services = request.app.state.services
    speaks = speaking_device(request, _SCOPE)
    body: bytes = request.state.raw_body
    read, is_batch = _read(body)
    good = [one for one in read if isinstance(one, Receipt)]
    fates: Sequence[Fate] = ()
    if good:
        ingest = services.ingest
        reported = [Reported(one, *(speaks or ())) for one in good]
        fates = await ingest.group.submit(ingest.receipts.write, app.id, reported, len(body))
    return _answer_all(read, fates) if is_batch else _answer_one(good[0], fates[0])


def _read(body: bytes) -> tuple[_Read, bool]:
    """Return the receipts of a body and whether it is a batch; raise what fails all of it."""
    given = read_body_of(body, _LIST)
    reading = Reading(given.now, given.skew)
    if given.items is not None:
        return [read_receipt(item, reading) for item in given.items], True
    made = read_receipt(given.fields, reading)
    if not isinstance(made, Receipt):
        raise InvalidPayloadError(fields=made)
    return [made], False


def _answer_one(receipt: Receipt, fate: Fate) -> Response:
    if fate is Fate.UNKNOWN_DELIVERY:
        raise DeliveryNotFoundError
    body = {
        "delivery_id": receipt.delivery_id,
        "milestone": receipt.milestone.value,
        "status": fate.value,
    }
    return json_response(to_json(body), 201 if fate is Fate.ACCEPTED else 200, {})


def _answer_all(read: _Read, fates: Sequence[Fate]) -> Response:
    left = iter(fates)
    return answer_items(
        [
            _result(index, one, next(left))
            if isinstance(one, Receipt)
            else rejected(_LIST, index, one, {"delivery_id": None})
            for index, one in enumerate(read)
        ]
    )


def _result(index: int, receipt: Receipt, fate: Fate) -> dict[str, Any]:
    key = {"delivery_id": receipt.delivery_id}
    if fate is Fate.UNKNOWN_DELIVERY:
        return rejected(_LIST, index, (_UNKNOWN,), key)
    return stored(index, fate.value, key)
