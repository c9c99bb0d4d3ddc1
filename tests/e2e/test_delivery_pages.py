"""Lists of deliveries in pages: whole, without gaps, whatever ends or goes on meanwhile."""

from typing import Any

import pytest

from delivery.sandbox.tokens import fcm_token
from tests.e2e.scene import Scene
from tests.e2e.test_traces import send


def pages(scene: Scene, limit: int, **query: str) -> list[list[dict[str, Any]]]:
    """Turn all pages of a list."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while cursor or not found:
        given = {**query, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer = scene.http.get("/v1/deliveries", params=given)
        assert answer.is_success, answer.text
        found.append(answer.json()["data"])
        cursor = answer.json()["next_cursor"]
    return found


def scatter(scene: Scene, size: int) -> None:
    """Cut every chunk into chunks of `size`, as retries at different seconds do."""
    scene.run_sql(
        "WITH old AS (DELETE FROM chunk RETURNING *) "
        "INSERT INTO chunk (app_id, message_id, credential_id, lane, device_ids, person_ids, "
        "remaining) SELECT app_id, message_id, credential_id, lane, array_agg(d ORDER BY n), "
        "array_agg(p ORDER BY n), count(*) FROM old, "
        "unnest(device_ids, person_ids) WITH ORDINALITY AS u(d, p, n) "
        "GROUP BY app_id, message_id, credential_id, lane, (n - 1) / :size",
        size=size,
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_message_in_many_small_chunks_is_listed_whole(scene: Scene, size: int) -> None:
    scene.add_people({"external_id": "ada"})
    for serial in range(7):
        scene.add_device("ada", fcm_token("accepted", serial))
    message = send(scene, {"people": ["ada"]})
    scatter(scene, size)

    for limit in range(1, 9):
        found = pages(scene, limit, message=message)
        ids = [one["id"] for page in found for one in page]
        assert len(set(ids)) == len(ids) == 7, limit
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


def test_every_list_says_what_an_open_one_waits_for(scene: Scene) -> None:
    scene.add_people({"external_id": "ada"})
    token = fcm_token("accepted", 1)
    device = scene.add_device("ada", token)
    message = send(scene, {"people": ["ada"]})

    def reasons() -> set[str | None]:
        queries = ({"person": "ada"}, {"token": token}, {"message": message})
        found = [one for query in queries for one in pages(scene, 5, **query)[0]]
        for path in (f"/v1/devices/{device}/messages", "/v1/people/ada/messages"):
            found += scene.http.get(path).json()["data"]
        assert [one["state"] for one in found] == ["pending"] * 5
        return {one["reason"] for one in found}

    assert reasons() == {None}
    scene.post(f"/v1/messages/{message}/pause", {})
    assert reasons() == {"message_paused"}
    scene.http.put("/v1/kill-switch", json={"reason": "A fire."}).raise_for_status()
    assert reasons() == {"kill_switch"}
    scene.run_sql("UPDATE credential SET state = 'retired'")
    assert reasons() == {"credential_retired"}
