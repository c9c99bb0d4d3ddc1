"""When a message would be done: `POST /v1/messages/forecast`. Nothing is stored or sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import MessageSendCall
from api.fields import WHOLE, Document, Moment, Payload
from api.message_payload import (
    DEFAULT_TTL_SECONDS,
    TTL_LIMIT_SECONDS,
    Audience,
    Exclusion,
    Rate,
    rule_seconds,
    whom,
)
from api.openapi import answers, problems
from api.route import DoorRoute
from campaigns import forecasting
from campaigns.forecasting import Forecast, Lap, Pacing, Wish
from core.clock import utc_now
from delivery.forecasts.arithmetic import Limit
from delivery.forecasts.repository import HeldBy
from delivery.messages.message import HARD_END_SECONDS
from delivery.pacing.limits import QUOTA_SHARE
from segments.rules.timing import asking

router = APIRouter(prefix="/v1/messages", tags=["Messages"], route_class=DoorRoute)
_REQUEST: dict[str, Any] = {"to": {"all": True}, "lane": "campaign", "rate_per_second": 500.0}
_WORDS = (
    "What other messages have waiting leaves first; messages that are not cut yet are not counted.",
    "Every push is taken at the first try, and nothing is paused, frozen or stopped meanwhile.",
    "A rate and the platform's speed are shared by the credentials as their recipients are.",
)
_ANSWER: dict[str, Any] = {
    "recipients": 3_000,
    "sendable": 2_950,
    "suppressed": {"no_permission": 50},
    "starts_at": "2026-03-01T12:00:00Z",
    "first_pass_at": "2026-03-01T12:00:06.938Z",
    "finishes_at": "2026-03-01T12:00:06.938Z",
    "expires_at": "2026-03-02T12:00:00Z",
    "seconds": 6.938,
    "limited_by": "rate",
    "credentials": [
        {
            "id": "cred_mfrggzdfmztwq2lknnwg23tpoa",
            "provider": "fcm",
            "name": "Firebase project",
            "recipients": 2_000,
            "quota_per_minute": 600_000,
            "waiting": 0,
            "seconds": 6.938,
            "limited_by": "rate",
            "held_by": None,
            "held_words": None,
            "held_platforms": None,
        },
        {
            "id": "cred_mfrggzdfmztwq2lknnwg23tpob",
            "provider": "apns",
            "name": "APNs key",
            "recipients": 950,
            "quota_per_minute": None,
            "waiting": 0,
            "seconds": 5.9,
            "limited_by": "rate",
            "held_by": None,
            "held_words": None,
            "held_platforms": None,
        },
    ],
    "assumptions": {
        "quota_share": 0.98,
        "ramp_seconds": 60.0,
        "platform_per_second": 5_000.0,
        "platform_is_measured": False,
        "words": list(_WORDS),
    },
}


class ForecastPayload(Payload):
    """A message that is not written yet. `quota_per_minute` asks what if FCM allowed so many."""

    to: Audience
    exclude: Exclusion | None = None
    lane: Literal["transactional", "campaign"] = "transactional"
    ttl_seconds: Annotated[int, Field(ge=1, le=TTL_LIMIT_SECONDS), WHOLE] = DEFAULT_TTL_SECONDS
    rate_per_second: Rate | None = None
    send_at: Moment | None = None
    quota_per_minute: Annotated[int, Field(ge=1, le=60_000_000), WHOLE] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST]})


class CredentialForecast(Document):
    """One credential's part. `waiting` are recipients of other messages that go before.

    `held_by` says why nothing leaves with it at the moment, `held_platforms` which devices wait
    while others do not, and `held_words` why, as far as its gateway said; the estimate is as if
    all were sent.
    """

    id: str
    provider: str
    name: str
    recipients: int
    quota_per_minute: int | None
    waiting: int
    seconds: float
    limited_by: Limit | None
    held_by: HeldBy | None
    held_words: str | None
    held_platforms: list[str] | None


class AssumptionsDocument(Document):
    """What the estimate takes for granted."""

    quota_share: float
    ramp_seconds: float
    platform_per_second: float
    platform_is_measured: bool
    words: list[str]


class ForecastDocument(Document):
    """Exact recipients, and an estimate of the time.

    `first_pass_at` is when everybody was tried once, null if the message expires before; retries
    come on top. `finishes_at` is never behind `expires_at`.
    """

    recipients: int
    sendable: int
    suppressed: dict[str, int]
    starts_at: datetime
    first_pass_at: datetime | None
    finishes_at: datetime
    expires_at: datetime
    seconds: float
    limited_by: Limit | None
    credentials: list[CredentialForecast]
    assumptions: AssumptionsDocument


@router.post(
    "/forecast",
    response_model=ForecastDocument,
    responses={**answers(_ANSWER), **problems(401, 403)},
)
def forecast_message(call: MessageSendCall, body: ForecastPayload) -> Response:
    """Count exactly whom a message would target, and estimate when it would be done.

    Nothing is stored.
    """
    settings = call.services.settings
    pacing = Pacing(settings.fcm_quota_per_minute, settings.ramp_seconds)
    wish = Wish(body.lane, body.rate_per_second, body.quota_per_minute)
    to = whom(body.to, body.exclude)

    def work(connection: Connection) -> Answer:
        with asking(connection, rule_seconds(to, settings.rule_timeout_seconds), of_all=False):
            found = forecasting.forecast(connection, call.app.id, to, wish, pacing)
        starts_at = max(body.send_at or utc_now(), utc_now())
        return Answer(_document(found, pacing, starts_at, body.ttl_seconds))

    return call.answer(work)


def _document(
    found: Forecast, pacing: Pacing, starts_at: datetime, ttl_seconds: int
) -> ForecastDocument:
    lifetime = min(ttl_seconds, HARD_END_SECONDS)
    expires_at = starts_at + timedelta(seconds=lifetime)
    is_in_time = found.whole.seconds < lifetime
    first_pass_at = starts_at + timedelta(seconds=found.whole.seconds) if is_in_time else None
    return ForecastDocument(
        recipients=sum(found.counts.values()),
        sendable=found.counts.get(None, 0),
        suppressed={why: count for why, count in found.counts.items() if why is not None},
        starts_at=starts_at,
        first_pass_at=first_pass_at,
        finishes_at=first_pass_at or expires_at,
        expires_at=expires_at,
        seconds=round(found.whole.seconds, 3),
        limited_by=found.whole.limited_by,
        credentials=_credentials(found.laps),
        assumptions=AssumptionsDocument(
            quota_share=QUOTA_SHARE,
            ramp_seconds=pacing.ramp_seconds,
            platform_per_second=found.platform_per_second,
            platform_is_measured=found.is_measured,
            words=list(_WORDS),
        ),
    )


def _credentials(laps: Sequence[Lap]) -> list[CredentialForecast]:
    return [
        CredentialForecast(
            id=lap.way.public_id,
            provider=lap.way.provider,
            name=lap.way.name,
            recipients=lap.road.recipients,
            quota_per_minute=lap.road.quota_per_minute,
            waiting=sum(one.recipients for one in lap.road.others),
            seconds=round(lap.estimate.seconds, 3),
            limited_by=lap.estimate.limited_by,
            held_by=lap.way.held_by,
            held_words=lap.way.held_words,
            held_platforms=list(lap.way.held_platforms) if lap.way.held_platforms else None,
        )
        for lap in laps
    ]
