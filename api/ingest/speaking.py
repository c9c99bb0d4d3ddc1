"""Who sends to a hot door: a server, or a device with the client key."""

from typing import Annotated

from fastapi import Header
from starlette.requests import Request

from api.device_work import SECRET_HEADER
from api.devices import DeviceSecret
from api.errors import ForbiddenScopeError
from api.ingest.hot_route import shown_claim
from core.errors import NotFoundError
from delivery.devices.service import Claim

DEVICE_HEADER = "Carillon-Device"
_DEVICE_ID_LIMIT = 64


async def take_device(
    _device: Annotated[
        str | None,
        Header(
            alias=DEVICE_HEADER,
            max_length=_DEVICE_ID_LIMIT,
            description="The id of the device that sends them, `dev_…`: with a client key.",
        ),
    ] = None,
    _secret: DeviceSecret = None,
) -> None:
    """Document the parameters."""


def speaking_device(request: Request, scope: str) -> tuple[str, Claim] | None:
    """Return the device that speaks and what it shows; None when a server does, by its scope.

    Raises `ForbiddenScopeError` for a client key without a device, `NotFoundError` for a name
    that no device has.
    """
    if request.state.principal.holds(scope):
        return None
    public_id = request.headers.get(DEVICE_HEADER)
    if not public_id:
        raise ForbiddenScopeError(
            f"This route needs the scope `{scope}`, or the client key with the headers "
            f"`{DEVICE_HEADER}` and `{SECRET_HEADER}`."
        )
    if len(public_id) > _DEVICE_ID_LIMIT:
        raise NotFoundError
    return public_id, shown_claim(request, is_server=False)
