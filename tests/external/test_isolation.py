"""A run cleans up after itself in shared servers, and touches nothing of others there."""

import os
import secrets

import amqp
import pytest
import redis
from sqlalchemy import text

from api.services.pair import Urls
from core.queue import lane_queue
from tests.databases import administration, drop_all
from tests.external.lanes import channel_to
from tests.servers import _drop_keys, _drop_queues, _start_of_names, own_names

pytestmark = pytest.mark.external


def test_names_of_this_run_are_its_own() -> None:
    run = os.environ["CARILLON_TEST_RUN"]

    assert all(run in name for name in own_names().values())


def test_databases_of_a_run_are_dropped_and_no_others(urls: Urls) -> None:
    run = secrets.token_hex(4)
    ours, theirs = f"carillon_test_{run}_template", f"stranger_{run}"
    exists = text("SELECT datname FROM pg_database WHERE datname IN (:ours, :theirs)")
    with administration(urls.database_url) as connection:
        for name in (ours, theirs):
            connection.execute(text(f"CREATE DATABASE {name}"))
        drop_all(urls.database_url, run)
        left = connection.scalars(exists, {"ours": ours, "theirs": theirs}).all()
        connection.execute(text(f"DROP DATABASE {theirs}"))

    assert left == [theirs]


def test_keys_of_a_run_are_removed_and_no_others(redis_url: str, redis_prefix: str) -> None:
    start = f"{redis_prefix}{_start_of_names('feedface')}"
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        for name in (f"{start}gw0:token", f"{redis_prefix}stranger"):
            client.set(name, "1", ex=60)
        _drop_keys(redis_url, start)
        left = list(client.scan_iter(match=f"{redis_prefix}*"))

    assert left == [f"{redis_prefix}stranger"]


def test_queues_of_a_run_are_deleted_and_no_others(broker_url: str) -> None:
    run = secrets.token_hex(4)
    ours = lane_queue(f"{_start_of_names(run, 'gw1')}-", "campaign")
    theirs = f"stranger-{run}"
    with channel_to(broker_url) as channel:
        for name in (ours, theirs):
            channel.queue_declare(name, durable=True, auto_delete=False)
    _drop_queues(broker_url, run)

    with channel_to(broker_url) as channel:
        channel.queue_declare(theirs, passive=True)
        channel.queue_delete(theirs)
        with pytest.raises(amqp.NotFound):
            channel.queue_declare(ours, passive=True)
