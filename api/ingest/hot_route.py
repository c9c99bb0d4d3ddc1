"""The route class of hot doors: async to the end, and without what a small request can spare.

Who asks is remembered for a second, and the route reads the body itself. In all else these doors
behave as the others do: key first, then query, size and encoding of the body, then the work.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from api.access import APP_HEADER, authenticate
from api.context import Services
from api.device_work import SECRET_HEADER
from api.errors import AppRequiredError, ForbiddenScopeError
from api.principal import App, Principal
from api.route import DoorRoute, check_query, read_body
from core.errors import FieldError, InvalidPayloadError, NotFoundError
from delivery.devices.service import Claim

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Endpoint = Callable[[Request], Awaitable[Response]]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_SHORT = "short"
_SECRET_LIMIT = 200


class HotRoute(DoorRoute):
    """Calls the async function that `answered_by` gave to its endpoint, with the request.

    Such an endpoint is never called: its signature is there to be described. Without that
    function the endpoint itself is called.
    """

    def get_route_handler(self) -> Handler:
        """Return the handler; `request.state` gets `principal` and `raw_body`."""
        endpoint = cast("_Endpoint", self.endpoint)
        call: _Endpoint = getattr(endpoint, _SHORT, endpoint)

        async def guarded(request: Request) -> Response:
            services: Services = request.app.state.services
            if any("\0" in str(value) for value in request.path_params.values()):
                raise NotFoundError
            request.state.principal = await _find_principal(services, request)
            if request.scope["query_string"]:
                check_query(request, {})
            limit = services.settings.max_body_bytes
            request.state.raw_body = await read_body(request, limit)
            return await call(request)

        return guarded


def answered_by(short: _Endpoint) -> Callable[[_Function], _Function]:
    """Make `short`, which needs only the request, answer the requests of the route it describes."""

    def mark(endpoint: _Function) -> _Function:
        setattr(endpoint, _SHORT, short)
        return endpoint

    return mark


async def _find_principal(services: Services, request: Request) -> Principal:
    headers = request.headers
    shown = (headers.get("authorization", ""), headers.get(APP_HEADER, ""))
    return await services.ingest.keys.find(shown, lambda: authenticate(services, request))


def admitted(request: Request, scope: str, *, client: bool = False) -> App:
    """Return the app of a request whose key may do what `scope` names; raise otherwise.

    With `client` a client's key is enough.
    """
    principal: Principal = request.state.principal
    if not principal.holds(scope) and not (client and principal.kind == "client"):
        raise ForbiddenScopeError(f"This route needs the scope `{scope}`.")
    if principal.app is None:
        raise AppRequiredError
    return principal.app


def shown_claim(request: Request, *, is_server: bool) -> Claim:
    """Return what a request shows for a device; raise `InvalidPayloadError`."""
    secret = request.headers.get(SECRET_HEADER)
    if secret is not None and len(secret) > _SECRET_LIMIT:
        words = f"The limit is {_SECRET_LIMIT} characters."
        raise InvalidPayloadError(
            fields=(FieldError(f"header:{SECRET_HEADER}", "too_long", words),)
        )
    return Claim(is_server=is_server, secret=secret)
