"""The embedded pair as a person meets it: started, stopped, killed, kept, crowded."""

import os
import stat
from pathlib import Path

import psutil
import pytest
import redis
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from api.services.errors import AlreadyRunningError, FolderError
from api.services.pair import EmbeddedOptions, Pair, embedded_pair, urls_of_running


def scalar(url: str, sql: str) -> object:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(sql))
        return result.scalar() if result.returns_rows else None


def test_the_template_is_migrated(connection: Connection) -> None:
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))

    assert version


def test_the_database_is_a_recent_postgres_with_unicode_rules(own_pair: Pair) -> None:
    url = own_pair.database_url

    assert int(str(scalar(url, "SHOW server_version_num"))) >= 180_000
    assert scalar(url, "SHOW server_encoding") == "UTF8"
    assert scalar(url, "SELECT upper('żółw')") == "ŻÓŁW"
    assert scalar(url, "SELECT 'B' < 'a'") is True
    assert scalar(url, "SHOW listen_addresses") == ""
    assert scalar(url, "SHOW synchronous_commit") == "on"


def test_valkey_never_evicts_and_keeps_nothing_on_disk(own_pair: Pair) -> None:
    with redis.Redis.from_url(own_pair.redis_url) as client:
        settings = client.config_get("maxmemory-policy", "save", "appendonly", "port")

    assert settings == {
        "maxmemory-policy": "noeviction",
        "save": "",
        "appendonly": "no",
        "port": "0",
    }


def test_nothing_runs_and_no_socket_is_left_after_the_end(tmp_path: Path) -> None:
    options = EmbeddedOptions(tmp_path / "state", durable=False, fresh=True)
    with embedded_pair(options) as pair:
        processes = [psutil.Process(pair.postgres.pid), psutil.Process(pair.valkey.pid)]
        sockets = Path(pair.database_url.partition("host=")[2])
        assert sockets.is_dir()

    assert not any(process.is_running() for process in processes)
    assert not sockets.exists()
    assert not list((tmp_path / "state" / "run").iterdir())


def test_data_is_kept_over_a_restart_and_dropped_by_a_fresh_start(tmp_path: Path) -> None:
    kept = EmbeddedOptions(tmp_path / "state")
    with embedded_pair(kept) as pair:
        scalar(pair.database_url, "CREATE TABLE proof AS SELECT 42 AS answer")
    with embedded_pair(kept) as pair:
        answer = scalar(pair.database_url, "SELECT answer FROM proof")
    with embedded_pair(EmbeddedOptions(kept.folder, durable=False, fresh=True)) as pair:
        absent = scalar(pair.database_url, "SELECT to_regclass('proof')")

    assert answer == 42
    assert absent is None


def test_a_second_start_in_the_same_folder_names_the_first(own_pair: Pair) -> None:
    folder = own_pair.book.folder

    with (
        pytest.raises(AlreadyRunningError, match=rf"already running .*\(pid {os.getpid()}\)"),
        embedded_pair(EmbeddedOptions(folder, fresh=True)),
    ):
        pass

    assert scalar(own_pair.database_url, "SELECT 1") == 1


def test_commands_find_the_addresses_of_what_runs(own_pair: Pair, tmp_path: Path) -> None:
    found = urls_of_running(own_pair.book.folder)

    assert found == own_pair.urls
    assert urls_of_running(tmp_path / "nothing") is None


def test_a_long_state_path_and_a_closed_parent_do_not_matter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / ("long " * 20) / ("path" * 20)

    with embedded_pair(EmbeddedOptions(folder, durable=False, fresh=True)) as pair:
        user_ids = psutil.Process(pair.postgres.pid).uids()
        reachable = scalar(pair.database_url, "SELECT 1")

    assert reachable == 1
    # PostgreSQL refuses root, so as root another account must have taken over.
    assert user_ids.effective == os.geteuid() or (os.geteuid() == 0 and user_ids.effective != 0)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_the_database_folder_is_closed_to_others(tmp_path: Path) -> None:
    with embedded_pair(EmbeddedOptions(tmp_path / "state", durable=False, fresh=True)) as pair:
        cluster = Path(str(scalar(pair.database_url, "SHOW data_directory")))
        sockets = Path(pair.database_url.partition("host=")[2])
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (cluster, cluster.parent, sockets)}

    assert modes == {0o700}
    assert not cluster.exists()


def test_an_immediate_restart_keeps_what_was_committed(own_pair: Pair) -> None:
    scalar(own_pair.database_url, "CREATE TABLE proof AS SELECT 42 AS answer")
    first = own_pair.postgres.pid

    own_pair.postgres.restart(mode="immediate")

    assert own_pair.postgres.pid != first
    assert scalar(own_pair.database_url, "SELECT answer FROM proof") == 42


def test_what_died_by_itself_is_revived_at_the_same_address(own_pair: Pair) -> None:
    for pid in (own_pair.postgres.pid, own_pair.valkey.pid):
        process = psutil.Process(pid)
        process.kill()
        process.wait()

    revived = own_pair.revive()

    assert revived == ["PostgreSQL", "Valkey"]
    assert scalar(own_pair.database_url, "SELECT 1") == 1
    with redis.Redis.from_url(own_pair.redis_url) as client:
        assert client.ping()


def test_a_folder_with_foreign_files_is_never_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years")

    with (
        pytest.raises(FolderError, match="not made by Carillon"),
        embedded_pair(EmbeddedOptions(tmp_path, fresh=True)),
    ):
        pass

    assert precious.read_text() == "years"
