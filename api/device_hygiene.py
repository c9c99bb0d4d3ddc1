"""The hygiene of an app's tokens: `GET /v1/devices/hygiene`."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import StatsReadCall
from api.fields import Document
from api.openapi import answers, problems
from api.route import DoorRoute
from delivery.deliveries.words import REASONS
from delivery.devices import hygiene
from delivery.devices.hygiene import Tokens

router = APIRouter(prefix="/v1/devices", tags=["Devices"], route_class=DoorRoute)
_EXAMPLE: dict[str, Any] = {
    "devices": 10_000,
    "tokens": {"active": 9_700, "suspect": 40, "retired": 260},
    "suspect": [
        {
            "reason": "bad_device_token",
            "words": "Apple does not know this token here. It may be for the other environment.",
            "provider": "apns",
            "environment": "production",
            "tokens": 40,
        }
    ],
    "dead": [
        {
            "reason": "unregistered",
            "words": "The app was removed from this device, so the gateway ended its registration.",
            "provider": "fcm",
            "environment": None,
            "tokens": 260,
        }
    ],
    "stale": {"over_30_days": 1_200, "over_270_days": 150},
}
_UNKNOWN = "The gateway gave no reason that we know."


class ReasonDocument(Document):
    """Tokens of one gateway that are suspect or dead for one reason."""

    reason: str
    words: str
    provider: str
    environment: str | None
    tokens: int


class TokensDocument(Document):
    """Tokens by their state."""

    active: int
    suspect: int
    retired: int


class StaleDocument(Document):
    """Devices that were not seen for so long; those of the second are among the first."""

    over_30_days: int
    over_270_days: int


class HygieneDocument(Document):
    """The tokens of an app. A device has one for each gateway and kind.

    `suspect` ones were refused without a verdict and are not sent to until they are registered
    again. `dead` ones have ended.
    """

    devices: int
    tokens: TokensDocument
    suspect: list[ReasonDocument]
    dead: list[ReasonDocument]
    stale: StaleDocument


@router.get(
    "/hygiene",
    response_model=HygieneDocument,
    responses={**answers(_EXAMPLE), **problems(401, 403)},
)
def read_hygiene(call: StatsReadCall) -> Response:
    """Count the app's tokens by state and reason, and the devices not seen for 30 and 270 days."""

    def work(connection: Connection) -> Answer:
        found = hygiene.read(connection, call.app.id)
        states = Counter[str]()
        for one in found.ended:
            states[one.state] += one.tokens
        return Answer(
            HygieneDocument(
                devices=found.devices,
                tokens=TokensDocument(
                    active=found.active, suspect=states["suspect"], retired=states["retired"]
                ),
                suspect=_reasons(found.ended, "suspect"),
                dead=_reasons(found.ended, "retired"),
                stale=StaleDocument(over_30_days=found.stale, over_270_days=found.expired),
            )
        )

    return call.answer(work)


def _reasons(tokens: Iterable[Tokens], state: str) -> list[ReasonDocument]:
    found = [
        ReasonDocument(
            reason=one.reason or "unknown",
            words=REASONS.get(one.reason, _UNKNOWN),
            provider=one.provider,
            environment=one.environment,
            tokens=one.tokens,
        )
        for one in tokens
        if one.state == state
    ]
    return sorted(
        found, key=lambda one: (-one.tokens, one.provider, one.environment or "", one.reason)
    )
