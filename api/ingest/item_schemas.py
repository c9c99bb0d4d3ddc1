"""How bodies that are one item or a list of them are described, and what they are answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from api.batches import BATCH_LIMIT
from api.openapi import answers, problems

MOMENT: Mapping[str, Any] = {"type": "string", "format": "date-time"}


def sent_at(whose: str) -> dict[str, Any]:
    """Return the schema of the time at which a body was sent."""
    words = f"What the {whose}'s clock says as it sends; times are moved by the difference."
    return {**MOMENT, "description": words}


def closed(fields: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object without any other fields."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(required),
        "additionalProperties": False,
    }


def request_body(
    name: str, single: Sequence[Any], item: Any, sent: Mapping[str, Any], example: tuple[Any, str]
) -> dict[str, Any]:
    """Return the description of a body: one of the schemas of a single item, or a list `name`.

    `example` is an item, and when the list of it is sent.
    """
    one, moment = example
    items = {"type": "array", "minItems": 1, "maxItems": BATCH_LIMIT, "items": item}
    batch = closed({name: items, "sent_at": sent}, [name])
    examples = {"single": {"value": one}, "batch": {"value": {name: [one], "sent_at": moment}}}
    content = {"schema": {"anyOf": [*single, batch]}, "examples": examples}
    return {"required": True, "content": {"application/json": content}}


def item_answers(
    one: Mapping[str, Any], many: Mapping[str, Any], models: tuple[type[BaseModel], ...], noun: str
) -> dict[int | str, dict[str, Any]]:
    """Return the answers to such a body; `models` are those of a single item and of a list."""
    single, batch = models
    known = answers({**one, "status": "duplicate"}, description="Known before")[200]
    results = answers(many, status=207, description=f"A result for each {noun}")[207]
    return {
        **answers(one, status=201, description="Stored"),
        200: {**known, "model": single},
        207: {**results, "model": batch},
        **problems(401, 403, 404, 409),
    }
