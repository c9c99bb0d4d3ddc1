"""What a route gets instead of a bare request: services, principal, app, and a transaction."""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Header, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from psycopg import errors as postgres
from pydantic import WithJsonSchema
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response

from api.answers import Answer, respond
from api.context import Services
from api.errors import AppRequiredError, ForbiddenScopeError
from api.outages import run_known
from api.principal import App, Principal
from core.errors import UnavailableError

_T = TypeVar("_T")
_ATTEMPTS = 4
# Two requests met at the same rows: the loser's transaction is gone, running it again is safe.
_COLLISIONS = (postgres.DeadlockDetected, postgres.UniqueViolation, postgres.SerializationFailure)

_READS = ("GET ", "HEAD ")

_bearer = HTTPBearer(
    scheme_name="key",
    bearerFormat="ca_…, ck_live_… or cc_…",
    description="A key: `./carillon app create NAME` prints the first one.",
    auto_error=False,
)
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_AppHeader = Annotated[
    str | None,
    Header(
        alias="Carillon-App",
        description="The app's id. Only an operator's key needs it, to work in another app.",
        examples=["app_mfrggzdfmztwq2lknnwg23tpoa"],
    ),
    WithJsonSchema({"type": "string", "pattern": "^app_[a-z2-7]{26}$"}),
]
_AppId = Annotated[str, Path(alias="app_id", description="The app's id, such as `app_…`.")]


@dataclass(frozen=True, slots=True)
class Call:
    """One request at the doors. `route` is method and path, for idempotency."""

    services: Services
    principal: Principal
    route: str
    idempotency_key: str | None
    body_hash: bytes
    if_match: str | None = None

    @property
    def app(self) -> App:
        """The app this request works in; raises `AppRequiredError` when none is named."""
        if self.principal.app is None:
            raise AppRequiredError
        return self.principal.app

    def transact(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` in one transaction and commit it; run it again if it met another one.

        `work` must change nothing but the database.
        """
        once = partial(
            run_known,
            self.services.engine,
            work,
            changes=not self.route.startswith(_READS),
            has_key=self.idempotency_key is not None,
        )
        for _ in range(_ATTEMPTS - 1):
            try:
                return once()
            except (DBAPIError, UnavailableError) as error:
                cause = error.__cause__ if isinstance(error, UnavailableError) else error
                if not (isinstance(cause, DBAPIError) and isinstance(cause.orig, _COLLISIONS)):
                    raise
        return once()

    def answer(self, work: Callable[[Connection], Answer]) -> Response:
        """Run `work` in one transaction, commit, and only then build the response."""
        return respond(self.transact(work))


def _call(request: Request) -> Call:
    return Call(
        services=request.app.state.services,
        principal=request.state.principal,
        route=f"{request.method} {request.url.path}",
        idempotency_key=request.headers.get("idempotency-key"),
        body_hash=hashlib.sha256(request.state.raw_body).digest(),
        if_match=request.headers.get("if-match"),
    )


def _needs_scope(scope: str, *, client: bool) -> Callable[..., Coroutine[Any, Any, Call]]:
    async def call(request: Request, _key: _Bearer = None, _app: _AppHeader = None) -> Call:
        made = _call(request)
        allowed = made.principal.holds(scope) or (client and made.principal.kind == "client")
        if not allowed:
            raise ForbiddenScopeError(f"This route needs the scope `{scope}`.")
        _ = made.app
        return made

    return call


def _needs_one(*scopes: str) -> Callable[..., Coroutine[Any, Any, Call]]:
    words = " or ".join(f"`{scope}`" for scope in scopes)

    async def call(request: Request, _key: _Bearer = None, _app: _AppHeader = None) -> Call:
        made = _call(request)
        if not any(map(made.principal.holds, scopes)):
            raise ForbiddenScopeError(f"This route needs the scope {words}.")
        _ = made.app
        return made

    return call


async def _needs_operator(request: Request, _key: _Bearer = None) -> Call:
    made = _call(request)
    if not made.principal.is_operator:
        raise ForbiddenScopeError("This route needs an operator's key (scope `operator`).")
    return made


async def _needs_admin(request: Request, _key: _Bearer = None) -> Call:
    made = _call(request)
    if not made.principal.holds("admin"):
        raise ForbiddenScopeError("This route needs the scope `admin`.")
    return made


async def _needs_app_admin(request: Request, _app_id: _AppId, _key: _Bearer = None) -> Call:
    # The authentication has looked the app of the path up already.
    return await _needs_admin(request)


async def _needs_app_messages(request: Request, _app_id: _AppId, _key: _Bearer = None) -> Call:
    made = _call(request)
    if not made.principal.holds("messages:read"):
        raise ForbiddenScopeError("This route needs the scope `messages:read`.")
    return made


async def _take_key(_key: _Bearer = None, _app: _AppHeader = None) -> None:
    """Document the key, for routes that look at it by themselves."""


KEY = Security(_take_key)
AdminCall = Annotated[Call, Security(_needs_admin)]
AppAdminCall = Annotated[Call, Security(_needs_app_admin)]
AppMessageReadCall = Annotated[Call, Security(_needs_app_messages)]
OperatorCall = Annotated[Call, Security(_needs_operator)]
MessageSendCall = Annotated[Call, Security(_needs_scope("messages:send", client=False))]
StatsReadCall = Annotated[Call, Security(_needs_scope("stats:read", client=False))]
MessageReadCall = Annotated[Call, Security(_needs_scope("messages:read", client=False))]
PeopleReadCall = Annotated[Call, Security(_needs_scope("people:read", client=False))]
PeopleWriteCall = Annotated[Call, Security(_needs_scope("people:write", client=False))]
DeviceWriteCall = Annotated[Call, Security(_needs_scope("devices:write", client=False))]
ImportCall = Annotated[Call, Security(_needs_one("people:write", "devices:write", "events:write"))]
SegmentReadCall = Annotated[Call, Security(_needs_one("segments:write", "people:read"))]
SegmentWriteCall = Annotated[Call, Security(_needs_scope("segments:write", client=False))]
# A client key is public: what it may do to a device is decided by the device's secret.
DeviceCall = Annotated[Call, Security(_needs_scope("devices:write", client=True))]
