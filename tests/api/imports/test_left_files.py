"""Files of uploads when something breaks: none is lost that an import needs, none is left over."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from api.imports.duty import ImportDuty
from bench.relay import Link, relay_to_postgres
from core.settings import Settings
from tests.api.doors import AppDoors, open_doors, settings_for

_CSV = b"external_id,points\nu1,3\nu2,4\n"
_TWO_DAYS = 2 * 86_400


@pytest.fixture
def settings(fresh_database: str, redis_url: str, tmp_path: Path) -> Settings:
    return settings_for(fresh_database, redis_url, state_dir=tmp_path)


@contextmanager
def losing_a_commit(settings: Settings) -> Iterator[Settings]:
    """Yield settings with a database that keeps the first import, but whose answer is lost."""
    inserting: list[Link] = []

    def judge(link: Link, data: bytes) -> bool:
        if b"INSERT INTO import_job" in data and not inserting:
            inserting.append(link)
        link.swallow = link in inserting and b"COMMIT" in data
        return True

    url = make_url(settings.require_database_url())
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        own_url = url._replace(host=None, port=None).update_query_dict({"host": folder})
        text = SecretStr(own_url.render_as_string(hide_password=False))
        with relay_to_postgres(url, Path(folder), judge):
            yield settings.model_copy(update={"database_url": text})


def upload(app: AppDoors, key: str) -> tuple[int, str]:
    answer = app.client.post(
        "/v1/imports",
        params={"kind": "people"},
        headers={**app.server, "Content-Type": "text/csv", "Idempotency-Key": key},
        content=_CSV,
    )
    return answer.status_code, answer.json().get("id", "")


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "imports").iterdir()}


def test_an_upload_whose_commit_lost_its_answer_is_imported(settings: Settings) -> None:
    with losing_a_commit(settings) as through_relay, open_doors(through_relay) as doors:
        app = doors.new_app()

        first, _ = upload(app, "lost")
        second, import_id = upload(app, "lost")
        ImportDuty(doors.services.settings, doors.services.engine).run(lambda: False)

        assert (first, second) == (503, 202)
        done = app.client.get(f"/v1/imports/{import_id}", headers=app.server).json()
        assert (done["state"], done["records"]) == ("finished", 2)
        assert names(settings.state_dir) == set()


def test_what_crashes_left_is_removed_after_a_day_and_nothing_else(settings: Settings) -> None:
    with open_doors(settings) as doors:
        assert upload(doors.new_app(), "waits")[0] == 202
        folder = settings.state_dir / "imports"
        needed = names(settings.state_dir)
        for name in ("file_left", ".incoming-left", "file_fresh", ".incoming-fresh", "notes.txt"):
            (folder / name).write_bytes(_CSV)
        then = time.time() - _TWO_DAYS
        for name in (*needed, "file_left", ".incoming-left", "notes.txt"):
            os.utime(folder / name, (then, then))

        # A worker that is told to stop at once tidies up, but imports nothing.
        ImportDuty(settings, doors.services.engine).run(lambda: True)

        assert names(settings.state_dir) == {
            *needed,
            "file_fresh",
            ".incoming-fresh",
            "notes.txt",
        }
