"""Errors as RFC 9457 problem documents: what every answer that is not 2xx looks like."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc as database_errors
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.answers import to_json
from api.errors import (
    BadRequestError,
    InternalError,
    MethodNotAllowedError,
    NoSuchRouteError,
    headers_of,
    status_of,
)
from api.json_body import pointer_step
from api.outages import perhaps_done
from core.errors import CarillonError, FieldError, InvalidPayloadError

_LOGGER = logging.getLogger(__name__)
_ERROR_LIMIT = 100
_MESSAGE_LIMIT = 500

# What pydantic calls a mistake, and what we promise to call it. All else is `invalid_value`.
_FIELD_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "bytes_too_long": "too_long",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}


def problem(error: CarillonError, request_id: str, instance: str) -> Response:
    """Return the problem document about `error`."""
    status = status_of(error)
    document: dict[str, Any] = {
        "type": f"urn:carillon:error:{error.code}",
        "title": " ".join((type(error).__doc__ or status.phrase).split())
        .split(". ")[0]
        .rstrip("."),
        "status": int(status),
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
    }
    if error.fields:
        document["errors"] = [
            {"pointer": field.pointer, "code": field.code, "message": field.message}
            for field in error.fields[:_ERROR_LIMIT]
        ]
    return Response(
        to_json(document),
        status_code=status,
        headers=headers_of(error),
        media_type="application/problem+json",
    )


def answer_problem(request: Request, error: CarillonError) -> Response:
    """Return the problem document about `error` for `request`."""
    if status_of(error) >= 500:
        # Without a cause it is an answer of ours, such as that all places are taken.
        is_broken = error.__cause__ is not None or isinstance(error, InternalError)
        _LOGGER.log(
            logging.ERROR if is_broken else logging.WARNING,
            "request.failed",
            extra={"code": error.code, "request_id": request.state.request_id},
            exc_info=error if is_broken else None,
        )
    return problem(error, request.state.request_id, request.url.path)


def install_handlers(app: FastAPI) -> None:
    """Make `app` answer every error it can name with a problem document."""
    for kind, translate in _NAMED.items():
        app.add_exception_handler(kind, _handler(translate))


def named_error(error: Exception) -> CarillonError | None:
    """Return an error of any kind as ours; None when it has no name."""
    translate = next((_NAMED[kind] for kind in type(error).__mro__ if kind in _NAMED), None)
    if translate is None:
        return None
    named = translate(error)
    if named is not error:
        named.__cause__ = error
    return named


def _handler(translate: Callable[[Any], CarillonError]) -> Callable[[Request, Any], Response]:
    def handle(request: Request, error: Exception) -> Response:
        named = translate(error)
        if named is not error:
            named.__cause__ = error
        answer = answer_problem(request, named)
        if isinstance(error, HTTPException) and error.headers:
            answer.headers.update(error.headers)
        return answer

    return handle


def _as_it_is(error: CarillonError) -> CarillonError:
    return error


def _from_http(error: HTTPException) -> CarillonError:
    if error.status_code == 404:
        return NoSuchRouteError()
    if error.status_code == 405:
        return MethodNotAllowedError()
    return BadRequestError() if error.status_code < 500 else InternalError()


def _from_data_error(_error: Exception) -> CarillonError:
    return InvalidPayloadError("A value does not fit the database.")


def _from_validation(error: RequestValidationError) -> CarillonError:
    return InvalidPayloadError(
        fields=tuple(to_field_error(item, error.body) for item in error.errors())
    )


_NAMED: Mapping[type[Exception], Callable[[Any], CarillonError]] = {
    CarillonError: _as_it_is,
    RequestValidationError: _from_validation,
    HTTPException: _from_http,
    database_errors.TimeoutError: perhaps_done,
    database_errors.OperationalError: perhaps_done,
    database_errors.InterfaceError: perhaps_done,
    database_errors.DataError: _from_data_error,
}


def to_field_error(item: Any, body: Any) -> FieldError:
    """Return one of pydantic's mistakes as ours; its `loc` starts with the place: body, query."""
    place, *rest = item["loc"]
    code = _field_code(item["type"])
    if place == "body":
        pointer = _pointer(rest, body, is_missing=code == "missing")
    else:
        pointer = f"{place}:" + ".".join(map(str, rest))
    if item["type"].startswith("union_tag_"):
        pointer += pointer_step(item["ctx"]["discriminator"].strip("'"))
    message = item["msg"].removeprefix("Value error, ")
    return FieldError(pointer, code, message[:_MESSAGE_LIMIT])


def _pointer(location: Sequence[str | int], value: Any, *, is_missing: bool) -> str:
    """Return the JSON pointer of a location; pydantic also names union members on the way."""
    pointer = ""
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        if _has(value, step):
            value = value[step]
        elif not (is_last and is_missing):
            continue
        pointer += pointer_step(step)
    return pointer


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _field_code(kind: str) -> str:
    if kind.endswith("_type"):
        return "wrong_type"
    return _FIELD_CODES.get(kind, "invalid_value")
