"""Pages of docs/reference that follow from the code: routes and errors."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.errors import STATUS, status_of
from core.errors import CarillonError

_METHODS = ("get", "post", "put", "patch", "delete")

# The codes inside `errors`, one for each kind of mistake in a payload.
FIELD_CODES: Mapping[str, str] = {
    "broken_quotes": "In a line of an import, a quote is not closed or stands in a wrong place.",
    "duplicate_field": "An object names the same field twice.",
    "empty_audience": "Nobody would get the message.",
    "foreign_person": "A device sends an event about somebody else than it belongs to.",
    "in_the_future": "An event lies in the future.",
    "in_the_past": "The time has passed.",
    "invalid": "A credential can not be used; the message says why.",
    "invalid_value": "The type is right, the value is not; the message says what is expected.",
    "lone_surrogate": "A text holds half of a surrogate pair.",
    "malformed_json": "A line of an import, or an event of a batch, is not JSON.",
    "malformed_token": "No gateway gives such a device token.",
    "missing": "The field is required.",
    "no_consent": "The person does not allow analytics.",
    "not_utf8": "A line of an import, or an event of a batch, is not UTF-8.",
    "nul_character": "A text holds U+0000, which can not be stored.",
    "number_out_of_range": "The number does not fit 64 bits.",
    "out_of_range": "The number is below or above the limit.",
    "production_in_staging": "A staging installation refuses what belongs to production.",
    "repeated": "A query parameter is given more than once.",
    "rule_too_deep": (
        "Nodes of a rule are nested deeper than 10 levels, or segments lead to segments more often."
    ),
    "segment_cycle": "A segment leads back to itself; the message says which way.",
    "template_syntax": "A template can not be read; the message says where.",
    "render_error": "A text can not be rendered for this person; the message says why.",
    "too_deep": "It is nested deeper than 24 levels, an attribute than 8, an event than 5.",
    "too_large": "The whole is larger than a gateway takes; the message says by how much.",
    "too_long": "A text, list or object is longer than the limit.",
    "too_many_names": "The app uses as many names of events, or of attributes, as it may.",
    "too_many_nodes": "A rule has more nodes than the limit, by itself or with its segments.",
    "too_short": "A text, list or object is shorter than the limit.",
    "unknown_delivery": "A receipt is about nothing that was sent to its device.",
    "unknown_device": "The app has no such device.",
    "unknown_field": "There is no such field; check its spelling.",
    "unknown_node": "A rule has no node of this `type`.",
    "unknown_person": "The app has no such person.",
    "unstorable": "PostgreSQL does not take a value in it.",
    "unknown_segment": "The app has no such segment.",
    "wrong_columns": "A line of an import has more or fewer columns than the header.",
    "wrong_type": "The value has another type than the field, or than was declared.",
}
_ERROR_HEAD = """# Errors

Made by `./carillon openapi --errors`. Every answer that is not 2xx is a problem document
(RFC 9457, `application/problem+json`):

```json
{
  "type": "urn:carillon:error:invalid_payload",
  "title": "The payload is not acceptable",
  "status": 422,
  "detail": "The payload is not acceptable. Each entry of `errors` points at what is wrong.",
  "instance": "/v1/devices",
  "code": "invalid_payload",
  "request_id": "6f5dc2d1e0b94d4c8b0a6a1c7b21f3ab",
  "errors": [{"pointer": "/token", "code": "missing", "message": "Give a token."}]
}
```

`code` is stable: programs may depend on it, and on nothing else. `request_id` is also in the
`X-Request-Id` header of every answer. `pointer` is a JSON pointer into the body; what is wrong
outside of it is named `query:limit`, `path:device_id` or `header:Carillon-Device-Secret`.

## Codes
"""


def route_page(description: Mapping[str, Any]) -> str:
    """Return the list of all routes in Markdown."""
    lines = [
        "# Routes",
        "",
        "Made by `./carillon openapi --routes`. Payloads, answers and examples stand at `/docs`.",
        "",
        "| route | what it does | good answers | problems |",
        "|---|---|---|---|",
        *_route_rows(description),
    ]
    return "\n".join(lines) + "\n"


def _route_rows(description: Mapping[str, Any]) -> Iterator[str]:
    for path, item in description["paths"].items():
        for method in _METHODS:
            if method in item:
                route = item[method]
                words = " ".join(route["description"].split("\n\n")[0].split())
                good = [code for code in route["responses"] if code < "400"]
                bad = [code for code in route["responses"] if code >= "400"]
                yield (
                    f"| `{method.upper()} {path}` | {words} | {' '.join(good)} | {' '.join(bad)} |"
                )


def error_page() -> str:
    """Return the list of all error codes in Markdown."""
    lines = [
        _ERROR_HEAD,
        "| code | status | what it means, and the cure |",
        "|---|---|---|",
        *(f"| `{code}` | {status} | {words} |" for code, status, words in error_rows()),
        "",
        "## Codes inside `errors`",
        "",
        "| code | what it means |",
        "|---|---|",
        *(f"| `{code}` | {words} |" for code, words in FIELD_CODES.items()),
    ]
    return "\n".join(lines) + "\n"


def error_rows() -> Iterator[tuple[str, int, str]]:
    """Return code, status and words of every error an HTTP answer can have, by code.

    Errors without a place in the table of statuses belong to commands, not to the doors.
    """
    for kind in sorted(set(_kinds(CarillonError)), key=lambda kind: kind.code):
        if any(ancestor in STATUS for ancestor in kind.__mro__ if ancestor is not CarillonError):
            words = " ".join((kind.__doc__ or "").split())
            yield kind.code, int(status_of(kind())), words


def _kinds(base: type[CarillonError]) -> Iterator[type[CarillonError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)
