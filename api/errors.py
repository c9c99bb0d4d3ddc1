"""What can go wrong at the doors, and the one table from error class to HTTP status."""

from http import HTTPStatus

from api.ingest.errors import BusyError, NoConsentError
from core.errors import (
    CarillonError,
    ConflictError,
    InvalidPayloadError,
    NotFoundError,
    SettingsError,
    UnavailableError,
)
from delivery.devices.errors import (
    DeviceSecretInvalidError,
    DeviceSecretMissingError,
    IdentityInvalidError,
    IdentityMissingError,
)


class MalformedJsonError(CarillonError):
    """The body is not JSON in UTF-8. Send one JSON object."""

    code = "malformed_json"


class NoSuchRouteError(CarillonError):
    """No route has this path. The routes are listed at /docs."""

    code = "no_such_route"


class MethodNotAllowedError(CarillonError):
    """The path exists, but not with this method. The Allow header lists its methods."""

    code = "method_not_allowed"


class BadRequestError(CarillonError):
    """The request could not be read."""

    code = "bad_request"


class BodyTooLargeError(CarillonError):
    """The body is larger than the limit. Split it into several requests."""

    code = "body_too_large"


class UnsupportedMediaTypeError(CarillonError):
    """The body must be `application/json`, plain or in gzip. Set the Content-Type header."""

    code = "unsupported_media_type"


class TokenMissingError(CarillonError):
    """A key is needed. Send it as `Authorization: Bearer <key>`."""

    code = "token_missing"


class TokenInvalidError(CarillonError):
    """The key is unknown, revoked or mistyped. Check which key this service uses."""

    code = "token_invalid"


class TokenExpiredError(CarillonError):
    """The key has expired. Use its successor, or make a new key."""

    code = "token_expired"


class ForbiddenScopeError(CarillonError):
    """The key is valid but lacks the scope this route needs."""

    code = "forbidden_scope"


class AppRequiredError(CarillonError):
    """An operator's key without an app must name one in the `Carillon-App` header."""

    code = "app_required"


class PreconditionFailedError(CarillonError):
    """It has changed since the `ETag` in `If-Match`. Read it again, then decide again."""

    code = "precondition_failed"


class IdempotencyKeyInvalidError(CarillonError):
    """The `Idempotency-Key` must have 1 to 255 characters of printable ASCII."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReusedError(CarillonError):
    """The `Idempotency-Key` came with another body before. Use a fresh key for a new request."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUseError(CarillonError):
    """A request with this `Idempotency-Key` is still running. Repeat it in a second."""

    code = "idempotency_key_in_use"


class TooManyAttributesError(ConflictError):
    """The app has as many attributes as it may. Names that nobody has are forgotten by the hour."""

    code = "too_many_attributes"


class TooManyWaitingError(CarillonError):
    """As much of this app waits already as may. Repeat the request when some of it is done."""

    code = "too_many_waiting"


class ExportsBusyError(UnavailableError):
    """As many exports are being made or read as may be. Ask again when one of them has ended."""

    code = "exports_busy"


class ExportTooLargeError(ConflictError):
    """The file would be larger than an export may be. Ask for it in gzip, or for fewer people."""

    code = "export_too_large"


class ExportTooSlowError(UnavailableError):
    """The file was not made in time. Ask for fewer people, or when there is less to do."""

    code = "export_too_slow"


class ExportNotWrittenError(UnavailableError):
    """There is no room for the file of the export. Ask again when other exports have ended."""

    code = "export_not_written"


class InternalError(CarillonError):
    """Something broke on our side. Quote the request id when you report it."""

    code = "internal_error"


# A subclass answers like its nearest ancestor here.
STATUS: dict[type[CarillonError], HTTPStatus] = {
    CarillonError: HTTPStatus.INTERNAL_SERVER_ERROR,
    BadRequestError: HTTPStatus.BAD_REQUEST,
    MalformedJsonError: HTTPStatus.BAD_REQUEST,
    AppRequiredError: HTTPStatus.BAD_REQUEST,
    TokenMissingError: HTTPStatus.UNAUTHORIZED,
    TokenInvalidError: HTTPStatus.UNAUTHORIZED,
    TokenExpiredError: HTTPStatus.UNAUTHORIZED,
    DeviceSecretMissingError: HTTPStatus.CONFLICT,
    DeviceSecretInvalidError: HTTPStatus.FORBIDDEN,
    IdentityMissingError: HTTPStatus.FORBIDDEN,
    IdentityInvalidError: HTTPStatus.FORBIDDEN,
    ForbiddenScopeError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    NoSuchRouteError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    ConflictError: HTTPStatus.CONFLICT,
    NoConsentError: HTTPStatus.CONFLICT,
    IdempotencyKeyReusedError: HTTPStatus.CONFLICT,
    IdempotencyKeyInUseError: HTTPStatus.CONFLICT,
    PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    BodyTooLargeError: HTTPStatus(413),
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidPayloadError: HTTPStatus(422),
    IdempotencyKeyInvalidError: HTTPStatus(422),
    TooManyWaitingError: HTTPStatus.TOO_MANY_REQUESTS,
    SettingsError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}

HEADERS: dict[type[CarillonError], dict[str, str]] = {
    IdempotencyKeyInUseError: {"Retry-After": "1"},
    BusyError: {"Retry-After": "1"},
    ExportsBusyError: {"Retry-After": "10"},
    ExportNotWrittenError: {"Retry-After": "60"},
    UnavailableError: {"Retry-After": "5"},
    TooManyWaitingError: {"Retry-After": "60"},
}

_CHALLENGED = (TokenMissingError, TokenInvalidError, TokenExpiredError)


def status_of(error: CarillonError) -> HTTPStatus:
    """Return the HTTP status of `error`: that of its class, or of its nearest listed ancestor."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def headers_of(error: CarillonError) -> dict[str, str]:
    """Return the headers that belong to an answer about `error`."""
    if isinstance(error, _CHALLENGED):
        return {"WWW-Authenticate": f'Bearer realm="carillon", error="{error.code}"'}
    return next((HEADERS[kind] for kind in type(error).__mro__ if kind in HEADERS), {})
