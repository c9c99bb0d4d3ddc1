"""The doors of statistics: who may read them, and how fine they may be."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, Doors, pointers, problem

PATH = "/v1/stats/deliveries"


def test_an_app_without_deliveries_has_no_buckets(app: AppDoors) -> None:
    answer = app.client.get(PATH, headers=app.admin)

    assert answer.json() == {"minutes": 60, "bucket_seconds": 60, "data": []}


def test_a_key_needs_the_scope(app: AppDoors, doors: Doors) -> None:
    reader = doors.new_key(app.inner_id, "server", ["stats:read"])

    assert app.client.get(PATH, headers=reader).status_code == 200
    problem(app.client.get(PATH, headers=app.server), 403, "forbidden_scope")
    problem(app.client.get(PATH, headers=app.phone), 403, "forbidden_scope")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"minutes": 0}, "query:minutes"),
        ({"minutes": 44_641}, "query:minutes"),
        ({"bucket_seconds": 5}, "query:bucket_seconds"),
        ({"bucket_seconds": 15}, "query:bucket_seconds"),
        ({"minutes": 1_440, "bucket_seconds": 10}, "query:bucket_seconds"),
    ],
)
def test_what_would_be_too_fine_is_refused(
    app: AppDoors, query: dict[str, Any], pointer: str
) -> None:
    answer = app.client.get(PATH, headers=app.admin, params=query)

    assert list(pointers(problem(answer, 422, "invalid_payload"))) == [pointer]
