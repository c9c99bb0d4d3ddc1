"""Every documented door, knocked at with all that its description allows and forbids.

Schemathesis makes the requests up and judges the answers: no 5xx, only documented statuses,
headers and bodies, valid data accepted, invalid data and missing keys refused, honest methods.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import CheckFunction, GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from api.main import assemble
from tests.api.doors import Doors
from tests.api.feeding import FILES, feed, register_formats, register_media_types
from tests.api.village import Village, found

_SEED = 20_261_122
_LABELS = [
    f"{method.upper()} {path}"
    for path, item in assemble().openapi()["paths"].items()
    for method in item
]
# Rules nest without end: making one up takes longer than asking it.
_WITH_RULES = {
    "POST /v1/segments",
    "PUT /v1/segments/{segment_id}",
    *(f"POST /v1/segments/{name}" for name in ("count", "explain", "sample")),
}
_CONFIG = {
    "seed": _SEED,
    # Its own list of refusals lacks 413 (too large) and 412 (changed meanwhile).
    "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How many requests of each kind to make; `edges` None means all there are."""

    edges: int | None
    valid: int
    invalid: int
    good: int = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """Knocks at one door and counts what is answered."""

    operation: "schemathesis.APIOperation[Any, Any, Any, Any]"
    village: Village
    client: requests.Session
    answers: Counter[int]

    def knock(self, case: "schemathesis.Case[Any]") -> None:
        """Make one request; fail on an answer that breaks the description."""
        feed(case, self.village)
        response = case.call_and_validate(
            session=self.client,
            headers=self.village.key,
            excluded_checks=self._exceptions(),
        )
        self.answers[response.status_code] += 1

    def _exceptions(self) -> list[CheckFunction]:
        known = _exceptions(self.operation.label)
        # That a door needs a key holds for the door, not for a request: one proof is enough.
        return [*known, ignored_auth] if self.good else known

    def knock_at_random(self, mode: GenerationMode, tries: int) -> None:
        """Make up to `tries` different requests of one kind."""

        @seed(_SEED)
        @settings(
            max_examples=tries,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=self.operation.as_strategy(generation_mode=mode))
        def knock(case: "schemathesis.Case[Any]") -> None:
            self.knock(case)

        knock()

    def knock_at_the_edges(self, limit: int | None) -> None:
        """Try the boundaries of every field, absent ones, extra ones, and other methods."""
        schema = self.operation.schema
        cases = list(
            schema.iter_coverage_cases(
                self.operation,
                generation_modes=list(GenerationMode),
                generation_config=schema.config.generation,
            )
        )
        if limit is not None and len(cases) > limit:
            cases = random.Random(_SEED).sample(cases, limit)
        for case in cases:
            self.knock(case)

    @property
    def good(self) -> int:
        """How many answers were 2xx."""
        return sum(number for status, number in self.answers.items() if 200 <= status < 300)


def _exceptions(label: str) -> list[CheckFunction]:
    if label.endswith("/batch"):
        # A bad item never fails the others: it has a status of its own inside a 207.
        return [negative_data_rejection, unsupported_method]
    if label == "POST /v1/events":
        # So it does in a batch of events, which goes through the same door. And no schema says
        # how deep properties may be, or where a time lies once a clock has been corrected.
        return [negative_data_rejection, positive_data_acceptance]
    if label == "POST /v1/receipts":
        # And in a batch of receipts.
        return [negative_data_rejection]
    if label in FILES:
        # The body is a file, and always a good one.
        return [negative_data_rejection]
    # The id of a person is free text: what looks like another resource may be a person.
    return [unsupported_method] if "/v1/people/" in label else []


@pytest.fixture(scope="module")
def schema(doors: Doors) -> schemathesis.BaseSchema:
    """The description that the running application serves."""
    register_formats()
    register_media_types()
    config = schemathesis.Config.from_dict(_CONFIG)
    return schemathesis.openapi.from_asgi("/openapi.json", doors.client.app, config=config)


@pytest.fixture(scope="module")
def village(doors: Doors) -> Iterator[Village]:
    """What made-up requests may name."""
    made = found(doors)
    yield made
    # Made-up requests stop the installation, which the tests behind them share.
    doors.client.delete("/v1/kill-switch", headers=made.key)


def _visit(schema: schemathesis.BaseSchema, label: str, village: Village, effort: Effort) -> None:
    operation = schema.find_operation_by_label(label)
    assert operation is not None
    with asgi.get_client(operation.app) as client:
        visitor = Visitor(operation, village, client, Counter())
        visitor.knock_at_the_edges(effort.edges)
        visitor.knock_at_random(GenerationMode.POSITIVE, effort.valid)
        if list(operation.iter_parameters()) or operation.body:
            visitor.knock_at_random(GenerationMode.NEGATIVE, effort.invalid)
        for _ in range(effort.good - visitor.good):
            # A door without parameters knows one valid request only: it must always be good.
            visitor.knock_at_random(GenerationMode.POSITIVE, 1)
    assert visitor.good >= effort.good, visitor.answers


@pytest.mark.parametrize("label", _LABELS)
def test_a_door_keeps_what_its_description_says(
    schema: schemathesis.BaseSchema, village: Village, label: str
) -> None:
    many = Effort(edges=10, valid=10, invalid=4, good=8)
    few = Effort(edges=8, valid=3, invalid=2, good=2)
    _visit(schema, label, village, few if label in _WITH_RULES else many)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("label", _LABELS)
def test_a_door_keeps_what_its_description_says_at_length(
    schema: schemathesis.BaseSchema, village: Village, label: str
) -> None:
    _visit(schema, label, village, Effort(edges=None, valid=200, invalid=200))
