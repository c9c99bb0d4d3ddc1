"""What templates need of people, read for a whole window at once."""

import json
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from core.secrets import SecretBox
from delivery.apps.service import create_app_row
from segments.identity.names import find_ids
from segments.people import repository, service
from segments.people.person import PersonChange

ODD: dict[str, Any] = {
    "name": 'Ada "é" \\ \u2028🎉',
    "number": 2**63 - 1,
    "share": 0.1,
    "yes": True,
    "list": [1, "a", None, {"b": []}],
    "a'b:c%s(d)": "odd name",
}


def driver(connection: Connection) -> psycopg.Connection[Any]:
    found = connection.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found


@pytest.fixture
def app_id(connection: Connection) -> int:
    box = SecretBox([Fernet.generate_key().decode()])
    return create_app_row(connection, box, "Shop").row.id


@pytest.mark.parametrize("count", [0, 1, 6, 16, 17, 60])
def test_attributes_come_as_json_in_the_order_asked_for(
    connection: Connection, app_id: int, count: int
) -> None:
    service.write(connection, app_id, [PersonChange("ada", ODD, {"locale": "en"})])
    (person_id,) = find_ids(connection, app_id, ["ada"]).values()
    names = ([f"missing_{number}" for number in range(54)] + list(ODD))[::-1][:count]

    (row,) = repository.read_facts(driver(connection), app_id, [person_id], names, whole=False)

    assert row[:6] == (person_id, None, "ada", "en", None, None)
    assert [text and json.loads(text) for text in row[6:]] == [ODD.get(name) for name in names]


def test_all_attributes_come_as_one_text_on_request(connection: Connection, app_id: int) -> None:
    service.write(connection, app_id, [PersonChange("ada", ODD)])
    (person_id,) = find_ids(connection, app_id, ["ada"]).values()

    (row,) = repository.read_facts(driver(connection), app_id, [person_id], [], whole=True)

    assert json.loads(row[1]) == ODD


def test_a_value_of_null_is_not_a_missing_one(connection: Connection, app_id: int) -> None:
    service.write(connection, app_id, [PersonChange("ada", {"a": {"b": None}})])
    (person_id,) = find_ids(connection, app_id, ["ada"]).values()
    connection.exec_driver_sql(
        "UPDATE person SET attributes = '{\"a\": null}' WHERE app_id = %s", (app_id,)
    )

    (row,) = repository.read_facts(driver(connection), app_id, [person_id], ["a", "b"], whole=False)

    assert row[6:] == ("null", None)


def test_people_of_another_app_are_not_read(connection: Connection, app_id: int) -> None:
    service.write(connection, app_id, [PersonChange("ada", {"a": 1})])
    ids = list(find_ids(connection, app_id, ["ada"]).values())

    assert repository.read_facts(driver(connection), app_id + 1, ids, ["a"], whole=True) == []
