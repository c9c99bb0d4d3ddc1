"""Statistics of an app: `/v1/stats`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import StatsReadCall
from api.fields import Document
from api.openapi import answers, problems
from api.route import DoorRoute
from core.errors import FieldError, InvalidPayloadError
from delivery.messages.statistics_repository import KEPT_DAYS, STEP_SECONDS, over_time

router = APIRouter(prefix="/v1/stats", tags=["Statistics"], route_class=DoorRoute)
_BUCKET_LIMIT = 1_500
_DAY_SECONDS = 86_400
_EXAMPLE = {
    "minutes": 60,
    "bucket_seconds": 60,
    "data": [
        {
            "at": "2026-03-01T12:00:00Z",
            "counts": {
                "accepted": 2_880,
                "gone": 90,
                "rejected": 30,
                "expired": 0,
                "unknown": 0,
                "suppressed": 0,
            },
            "receipts": {"confirmed": 1_900, "opened": 40},
        }
    ],
}

Minutes = Annotated[
    int, Query(ge=1, le=KEPT_DAYS * 1_440, description="How far back, up to 31 days.")
]
BucketSeconds = Annotated[
    int,
    Query(ge=STEP_SECONDS, le=_DAY_SECONDS, multiple_of=STEP_SECONDS, description="How fine."),
]


class BucketDocument(Document):
    """How many recipients ended in a bucket, and how many receipts came; `at` is its beginning."""

    at: datetime
    counts: dict[str, int]
    receipts: dict[str, int]


class DeliveriesDocument(Document):
    """The buckets in which anything happened, oldest first."""

    minutes: int
    bucket_seconds: int
    data: Annotated[list[BucketDocument], Field(max_length=_BUCKET_LIMIT + 1)]


@router.get(
    "/deliveries",
    response_model=DeliveriesDocument,
    responses={**answers(_EXAMPLE), **problems(401, 403, 422)},
)
def read_deliveries(
    call: StatsReadCall, minutes: Minutes = 60, bucket_seconds: BucketSeconds = 60
) -> Response:
    """Count the recipients that ended, and receipts, over time. Tests are left out.

    Buckets without anything are left out, too. A recipient counts within a second of its end.
    """
    if minutes * 60 > bucket_seconds * _BUCKET_LIMIT:
        words = f"At most {_BUCKET_LIMIT} buckets: make them longer, or look less far back."
        fault = FieldError("query:bucket_seconds", "out_of_range", words)
        raise InvalidPayloadError(fields=(fault,))

    def work(connection: Connection) -> Answer:
        found = over_time(connection, call.app.id, minutes=minutes, bucket_seconds=bucket_seconds)
        data = [BucketDocument.model_validate(bucket) for bucket in found]
        return Answer(DeliveriesDocument(minutes=minutes, bucket_seconds=bucket_seconds, data=data))

    return call.answer(work)
