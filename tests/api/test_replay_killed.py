"""The API is killed in the middle of a replay: nothing of it is left, and it can be asked again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
from sqlalchemy import text

from tests.api.doors import phone, settings_for
from tests.api.serving import Served, served
from tests.deadlines import wait_until

_KEY = {"Idempotency-Key": "replay-1"}
_DEAD = text(
    "WITH taken AS (DELETE FROM chunk RETURNING *), ended AS (UPDATE message m SET "
    "state = 'finished', finished_at = now() FROM taken WHERE m.id = taken.message_id "
    "RETURNING m.app_id, m.day, m.id) "
    "INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, reason, attempt) "
    "SELECT e.app_id, e.day, e.id, d, p, 'rejected', 'retries_exhausted', 1 "
    "FROM ended e JOIN taken t ON t.message_id = e.id, unnest(t.device_ids, t.person_ids) u(d, p)"
)
_LEFT = text(
    "SELECT (SELECT count(*) FROM message WHERE replay_of IS NOT NULL), "
    "(SELECT count(*) FROM chunk), (SELECT count(*) FROM idempotency), "
    "(SELECT count(*) FROM audit WHERE action = 'message.replayed')"
)


def dead_message(server: Served) -> str:
    """Return a message whose one recipient was refused."""
    add_credential(server)
    server.app.client.post(
        "/v1/devices", headers=server.app.server, json=phone(person="ada")
    ).raise_for_status()
    message = str(server.send().json()["id"])
    with server.connection.begin():
        server.connection.execute(_DEAD)
    return message


def add_credential(server: Served) -> None:
    """Let the app have a credential; nothing is sent with it here."""
    with server.connection.begin():
        server.connection.execute(
            text(
                "INSERT INTO credential (app_id, public_id, provider, kind, name, sealed) "
                "VALUES (:app, 'cred_a', 'fcm', 'service_account', 'a', '')"
            ),
            {"app": server.app.inner_id},
        )


def left(server: Served) -> tuple[int, ...]:
    """Count what a replay writes."""
    with server.connection.begin():
        return tuple(server.connection.execute(_LEFT).one())


def kill_servers() -> None:
    """End every server that this process has started, with its workers, at once."""
    for process in psutil.Process().children(recursive=True):
        if "granian" in " ".join(process.cmdline()) or "granian" in process.name():
            process.kill()


def test_nothing_of_a_replay_is_left_and_it_can_be_asked_again(
    fresh_database: str, redis_url: str, tmp_path: Path
) -> None:
    settings = settings_for(fresh_database, redis_url)
    with ThreadPoolExecutor(1) as pool, served(settings, tmp_path) as server:
        body, headers = {"message": dead_message(server)}, {**server.app.server, **_KEY}
        with server.connection.engine.connect() as holder, holder.begin():
            # The change log is written last: all else of the replay stands in the transaction.
            holder.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
            asked = pool.submit(
                server.http.post, "/v1/dead-letters/replay", json=body, headers=headers
            )
            wait_until(lambda: bool(server.blocked()), 30, "the replay is about to be committed")
            kill_servers()
            assert isinstance(asked.exception(30), httpx.TransportError)
        wait_until(lambda: not server.blocked(), 30, "the session ends")
        assert left(server) == (0, 0, 0, 0)

        again = server.app.client.post("/v1/dead-letters/replay", json=body, headers=headers)

        assert again.status_code == 202, again.text
        assert again.json()["targeted"] == 1
        assert left(server) == (1, 1, 1, 1)
