"""Batches: one result for each item, in order; a bad item never fails the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from api.answers import Answer
from api.fields import Document
from api.problems import to_field_error
from core.errors import FieldError

BATCH_LIMIT = 1_000
_Item = TypeVar("_Item", bound=BaseModel)


class FieldProblem(Document):
    """One thing wrong with one place of the payload."""

    pointer: str
    code: str
    message: str


class ItemResult(Document):
    """What became of one item: 201 created, 200 updated, 422 refused."""

    index: int
    status: int
    id: str | None = None
    errors: list[FieldProblem] | None = None


class BatchDocument(Document):
    """One result for each item, in the order of the request."""

    succeeded: int
    failed: int
    results: list[ItemResult]


@dataclass(frozen=True, slots=True)
class Parsed(Generic[_Item]):
    """The items of a batch by index: the good ones, and what is wrong with the others."""

    items: Mapping[int, _Item]
    faults: Mapping[int, Sequence[FieldError]]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a good item."""

    id: str
    is_new: bool


def parse_items(kind: type[_Item], values: Sequence[Any]) -> Parsed[_Item]:
    """Check each item by itself."""
    items: dict[int, _Item] = {}
    faults: dict[int, Sequence[FieldError]] = {}
    for index, value in enumerate(values):
        try:
            items[index] = kind.model_validate(value)
        except ValidationError as error:
            faults[index] = faults_of(error, value)
    return Parsed(items, faults)


def faults_of(error: ValidationError, value: Any) -> list[FieldError]:
    """Return what is wrong with one item, with pointers into it."""
    return [
        to_field_error({**item, "loc": ("body", *item["loc"])}, value)
        for item in error.errors(include_url=False, include_input=False)
    ]


def answer_batch(
    field: str,
    size: int,
    done: Mapping[int, Done],
    faults: Mapping[int, Sequence[FieldError]],
) -> Answer:
    """Return the answer for a batch of `size` items that came under the name `field`."""
    results = [
        _failed(field, index, faults[index])
        if index in faults
        else ItemResult(index=index, status=201 if done[index].is_new else 200, id=done[index].id)
        for index in range(size)
    ]
    body = BatchDocument(succeeded=size - len(faults), failed=len(faults), results=results)
    return Answer(body, status=207)


def _failed(field: str, index: int, faults: Sequence[FieldError]) -> ItemResult:
    errors = [
        FieldProblem(
            pointer=f"/{field}/{index}{fault.pointer}", code=fault.code, message=fault.message
        )
        for fault in faults
    ]
    return ItemResult(index=index, status=422, errors=errors)
