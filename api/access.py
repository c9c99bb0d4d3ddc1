"""From an Authorization header to a principal: one indexed look-up, before any body is read."""

import re

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.requests import Request

from api import repository
from api.context import Services
from api.errors import TokenExpiredError, TokenInvalidError, TokenMissingError
from api.outages import nothing_done
from api.principal import App, Principal
from core.errors import NotFoundError
from core.secrets import hash_secret

APP_HEADER = "Carillon-App"
_KEY = re.compile(r"(?:ca|ck_live|cc)_[A-Za-z0-9_-]{20,100}")
_APP_ID = re.compile(r"app_[a-z2-7]{26}")


def authenticate(services: Services, request: Request) -> Principal:
    """Return who sends `request` and the app it works in.

    The app is the one of the path, else that of the `Carillon-App` header, else the key's own.
    Only an operator reaches another app than its own: for all others it does not exist. Raises
    `UnavailableError` that says that nothing was done when the database does not answer.
    """
    secret = _bearer(request)
    try:
        return _find(services, request, secret)
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise nothing_done(error) from error


def _find(services: Services, request: Request, secret: str) -> Principal:
    # One statement needs no transaction around it: that saves every request two round trips.
    with services.engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        found = repository.find_by_secret(connection, hash_secret(secret))
        if found is None or found.is_revoked:
            raise TokenInvalidError
        if found.is_expired:
            raise TokenExpiredError
        if found.is_use_unnoted:
            repository.note_use(connection, found.id)
        own = App(found.app_id, found.app_public_id or "") if found.app_id is not None else None
        principal = Principal(found.kind, found.id, found.public_id, frozenset(found.scopes), own)
        return _in_named_app(connection, principal, _named_app(request))


def _bearer(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise TokenMissingError
    if not _KEY.fullmatch(secret.strip()):
        raise TokenInvalidError
    return secret.strip()


def _named_app(request: Request) -> str | None:
    named: str | None = request.path_params.get("app_id") or request.headers.get(APP_HEADER)
    return named


def _in_named_app(connection: Connection, principal: Principal, named: str | None) -> Principal:
    if named is None or (principal.app and principal.app.public_id == named):
        return principal
    known = principal.is_operator and _APP_ID.fullmatch(named)
    app_id = repository.find_app(connection, named) if known else None
    if app_id is None:
        raise NotFoundError("There is no such app, or this key does not belong to it.")
    return Principal(
        principal.kind,
        principal.key_id,
        principal.key_public_id,
        principal.scopes,
        App(app_id, named),
    )
