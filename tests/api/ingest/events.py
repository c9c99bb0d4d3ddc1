"""Events for tests, and what the database keeps of them."""

import uuid
from datetime import timedelta
from typing import Any

import httpx2
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors


def event(**values: Any) -> dict[str, Any]:
    """Return a good event; a value of None leaves the field out."""
    made = {
        "uuid": str(uuid.uuid4()),
        "name": "order_placed",
        "person": "ada",
        "at": (utc_now() - timedelta(minutes=1)).isoformat(),
        "properties": {"total": 49.9, "items": 3},
        **values,
    }
    return {name: value for name, value in made.items() if value is not None}


def send(app: AppDoors, body: Any) -> httpx2.Response:
    """Post JSON with the server's key."""
    return app.client.post("/v1/events", headers=app.server, json=body)


def send_raw(app: AppDoors, body: bytes, **headers: str) -> httpx2.Response:
    """Post bytes that say they are JSON."""
    given = {**app.server, "Content-Type": "application/json", **headers}
    return app.client.post("/v1/events", headers=given, content=body)


def results(answer: httpx2.Response) -> list[dict[str, Any]]:
    """Return the results of a batch, whose counts are checked."""
    assert answer.status_code == 207, answer.text
    document = answer.json()
    found: list[dict[str, Any]] = document["results"]
    assert [one["index"] for one in found] == list(range(len(found)))
    counts = {"accepted": "accepted", "duplicates": "duplicate", "rejected": "rejected"}
    for field, status in counts.items():
        assert document[field] == sum(one["status"] == status for one in found)
    return found


def stored(doors: Doors, app: AppDoors) -> list[Any]:
    """Return the events of an app by their uuids, with the person's name."""
    statement = text(
        "SELECT e.uuid::text, e.name, e.properties, e.at, p.external_id AS person FROM event e "
        "JOIN person p ON p.app_id = e.app_id AND p.id = e.person_id "
        "WHERE e.app_id = :app_id ORDER BY e.id"
    )
    with doors.services.engine.connect() as connection:
        return list(connection.execute(statement, {"app_id": app.inner_id}))
