"""Raw tokens become anonymous devices, thousands in a few statements."""

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from core.errors import InvalidPayloadError
from core.secrets import SecretBox
from delivery.apps.service import create_app_row
from delivery.credentials import service as credentials
from delivery.credentials.service import CredentialPlan
from delivery.devices.repository import find_ids_by_public, register_raw_tokens

_BOX = SecretBox([Fernet.generate_key().decode()])


@pytest.fixture
def app_id(connection: Connection) -> int:
    return create_app_row(connection, _BOX, "Shop").row.id


def test_known_and_repeated_tokens_give_the_same_devices_in_order(
    connection: Connection, app_id: int
) -> None:
    first = register_raw_tokens(connection, app_id, ["t:1", "ab" * 32, "t:1", "AB" * 32])
    second = register_raw_tokens(connection, app_id, ["t:2", "ab" * 32, "t:1"])

    assert first == [first[0], first[1], first[0], first[1]]
    assert second[1:] == [first[1], first[0]]
    assert len({*first, *second}) == 3


def test_they_are_nobodys_and_have_the_platform_of_their_gateway(
    connection: Connection, app_id: int
) -> None:
    register_raw_tokens(connection, app_id, ["t:1", "ab" * 32])

    found = connection.execute(
        text("SELECT platform, person_id, secret_hash FROM device WHERE app_id = :id ORDER BY id"),
        {"id": app_id},
    ).all()
    assert sorted(tuple(row) for row in found) == [("android", None, None), ("ios", None, None)]


@pytest.mark.parametrize("environment", ["development", "production"])
def test_an_apns_token_gets_the_environment_of_the_newest_credential(
    connection: Connection, app_id: int, environment: str
) -> None:
    plan = CredentialPlan("apns", "token", "n", {}, environment=environment, topic="com.example")
    credentials.add(connection, _BOX, app_id, plan)
    register_raw_tokens(connection, app_id, ["ab" * 32, "t:1"])

    found = connection.execute(
        text("SELECT provider, environment FROM target WHERE app_id = :id"), {"id": app_id}
    ).all()
    assert {tuple(row) for row in found} == {("apns", environment), ("fcm", None)}


def test_malformed_tokens_are_named_and_nothing_is_written(
    connection: Connection, app_id: int
) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        register_raw_tokens(connection, app_id, ["t:1", "not one", "t:2", ""])

    assert [fault.pointer for fault in caught.value.fields] == ["/to/tokens/1", "/to/tokens/3"]
    assert (
        connection.scalar(text("SELECT count(*) FROM device WHERE app_id = :id"), {"id": app_id})
        == 0
    )


def test_ten_thousand_tokens_take_a_few_statements(connection: Connection, app_id: int) -> None:
    tokens = [f"token:{number}" for number in range(10_000)]

    ids = register_raw_tokens(connection, app_id, tokens)

    assert len(set(ids)) == 10_000
    assert register_raw_tokens(connection, app_id, tokens[::-1]) == ids[::-1]


def test_public_ids_of_other_apps_are_not_found(connection: Connection, app_id: int) -> None:
    other = create_app_row(connection, _BOX, "Other").row.id
    register_raw_tokens(connection, app_id, ["t:1"])
    public_id = connection.scalar(
        text("SELECT public_id FROM device WHERE app_id = :id"), {"id": app_id}
    )

    assert find_ids_by_public(connection, app_id, [public_id, "dev_none"]).keys() == {public_id}
    assert find_ids_by_public(connection, other, [public_id]) == {}
