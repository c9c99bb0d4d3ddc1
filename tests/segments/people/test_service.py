"""People written as sets, against the plain rule of merging one by one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from core.secrets import SecretBox
from delivery.apps.service import create_app_row
from segments.identity.names import find_ids
from segments.people import repository, service
from segments.people.person import PersonChange

_BOX = SecretBox([Fernet.generate_key().decode()])
_VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.lists(st.none(), max_size=2)
_CHANGES = st.lists(
    st.builds(
        PersonChange,
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from(["x", "y", "ü"]), _VALUES, max_size=3),
        st.dictionaries(
            st.sampled_from(["locale", "country"]), st.none() | st.sampled_from(["de", "fr"])
        ),
    ),
    max_size=6,
)


@pytest.fixture
def app_id(connection: Connection) -> int:
    return create_app_row(connection, _BOX, "Shop").row.id


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(_CHANGES, max_size=3))
def test_batches_end_like_merging_one_by_one(
    connection: Connection, batches: list[list[PersonChange]]
) -> None:
    app_id = create_app_row(connection, _BOX, "Shop").row.id
    expected: dict[str, dict[str, Any]] = {}
    for batch in batches:
        service.write(connection, app_id, batch)
        for change in batch:
            person = expected.setdefault(
                change.external_id, {"attributes": {}, "locale": None, "country": None}
            )
            merged = {**person["attributes"], **change.attributes}
            person["attributes"] = {k: v for k, v in merged.items() if v is not None}
            person |= change.fields

    found = repository.list_after(connection, app_id, 0, 100)
    assert {
        one.external_id: {
            "attributes": one.attributes,
            "locale": one.locale,
            "country": one.country,
        }
        for one in found
    } == expected


def test_ids_of_another_app_are_not_found(connection: Connection, app_id: int) -> None:
    other = create_app_row(connection, _BOX, "Other").row.id
    service.write(connection, app_id, [PersonChange("ada")])

    ids = find_ids(connection, app_id, ["ada", "bob"])
    assert ids.keys() == {"ada"}
    assert find_ids(connection, other, ["ada"]) == {}
    assert repository.find_by_ids(connection, other, list(ids.values())) == []
    assert [
        one.external_id for one in repository.find_by_ids(connection, app_id, [*ids.values()])
    ] == ["ada"]


def test_batches_in_opposite_order_do_not_block_each_other(engine: Engine) -> None:
    with engine.begin() as connection:
        app_id = create_app_row(connection, _BOX, "Shop").row.id
    names = [f"p{number}" for number in range(200)]

    def write(turn: int) -> None:
        order = names if turn % 2 else names[::-1]
        changes = [PersonChange(name, {f"turn_{turn}": turn}) for name in order]
        with engine.begin() as connection:
            service.write(connection, app_id, changes)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))

    with engine.connect() as connection:
        found = repository.list_after(connection, app_id, 0, 1_000)
    assert len(found) == 200
    assert all(len(person.attributes) == 12 for person in found)
