"""The static lists of two people who become one, and two again."""

from sqlalchemy import Connection

from segments.identity import merging
from tests.segments.identity.town import Town, found


def _list(town: Town, name: str, *members: str) -> int:
    (row,) = town.run(
        "INSERT INTO segment_list (app_id, public_id, name) VALUES (:app_id, :public, :name) "
        "RETURNING id",
        public=f"lst_{town.app_id}_{name}",
        name=name,
    )
    for member in members:
        town.run(
            "INSERT INTO list_member VALUES (:app_id, :list_id, :person_id) RETURNING list_id",
            list_id=row.id,
            person_id=town.inner_id(member),
        )
    return int(row.id)


def _members(town: Town) -> set[tuple[int, int]]:
    listed = town.run("SELECT list_id, person_id FROM list_member WHERE app_id = :app_id")
    return {(row.list_id, row.person_id) for row in listed}


def test_who_stays_is_on_the_lists_of_both_until_the_merge_is_undone(
    connection: Connection,
) -> None:
    town = found(connection)
    for name in ("ada", "bob"):
        town.put(name, plan="free")
    lists = [
        _list(town, "both", "ada", "bob"),
        _list(town, "bob's", "bob"),
        _list(town, "gone", "bob"),
    ]
    before, stays = _members(town), town.inner_id("ada")

    made = merging.merge(connection, town.app_id, "ada", "bob").merge
    merged = _members(town)
    town.run(
        "DELETE FROM segment_list WHERE app_id = :app_id AND id = :id RETURNING id", id=lists[2]
    )
    merging.undo(connection, town.app_id, made.public_id, hours=24)

    assert merged == {(one, stays) for one in lists}
    assert _members(town) == {(one, person) for one, person in before if one != lists[2]}
