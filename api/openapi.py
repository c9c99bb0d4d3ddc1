"""What the OpenAPI document says beside the routes' own types: examples and problems."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from segments.rules.schema import RULE, rule_schemas

_TITLES = {
    400: "The request can not be read",
    401: "No key, or not a living one",
    403: "The key lacks the scope",
    404: "Not in this app",
    409: "Does not fit the present state",
    412: "It has changed meanwhile",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The payload is not acceptable",
    429: "Too much of this app waits already",
    503: "The database does not answer",
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable; listed in docs/reference/errors.md"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
# Where a payload holds a rule; its schema is too large to stand in each of them.
RULE_HERE = {"type": "object", "x-rule": True}
_ALWAYS = (400, 401, 403, 404, 413, 415, 422, 503)


def answers(example: Any, *, status: int = 200, description: str = "Done") -> dict[int | str, Any]:
    """Return the `responses` entry of a good answer with its example."""
    content = {"application/json": {"example": example}}
    return {status: {"description": description, "content": content}}


def problems(*statuses: int) -> dict[int | str, Any]:
    """Return `responses` entries for these problems, and for those any route can have."""
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {
        status: {"description": _TITLES[status], "content": content}
        for status in sorted({*statuses, *_ALWAYS})
    }


def unchanged() -> dict[int | str, Any]:
    """Return the `responses` entry of a route that takes `If-None-Match`."""
    return {304: {"description": "Still the same as the `ETag` in `If-None-Match`"}}


class DescribedApp(FastAPI):
    """FastAPI, whose description keeps the nulls of our examples (its own leaves them out)."""

    described: Sequence[APIRouter] = ()

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        description = super().openapi()
        if RULE in description.get("components", {}).get("schemas", {}):
            return description
        for router in self.described:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    _put_examples(description["paths"], route)
        if _refer_to_rules(description):
            description["components"]["schemas"] |= rule_schemas()
        return description


def _refer_to_rules(value: Any) -> bool:
    """Put a reference to the schema of rules wherever one may stand; tell whether one does."""
    found = False
    inside = value.values() if isinstance(value, dict) else value
    for one in inside if isinstance(value, dict | list) else ():
        if isinstance(one, dict) and "x-rule" in one:
            one.clear()
            one["$ref"] = f"#/components/schemas/{RULE}"
            found = True
        else:
            found = _refer_to_rules(one) or found
    return found


def _put_examples(paths: dict[str, Any], route: APIRoute) -> None:
    path = route.path_format
    for method in route.methods or ():
        shown = paths[path][method.lower()]["responses"]
        for status, answer in route.responses.items():
            for media_type, content in answer.get("content", {}).items():
                for field in content.keys() & {"example", "examples"}:
                    shown[str(status)]["content"][media_type][field] = content[field]
