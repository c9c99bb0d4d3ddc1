"""Stages for tests that break things."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.commands.migrate import migrate
from api.services.pair import Pair, Urls
from bench.relay import Relay, relay_to_port
from delivery.sandbox.client import Address
from delivery.sandbox.credentials import make_service_account, service_account_half
from tests.chaos.stage import Stage, open_stage
from tests.fixtures.sandbox import PROJECT, Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def shared_urls(fresh_database: str, redis_url: str, broker_url: str) -> Urls:
    """A database of this test alone on the servers of all tests."""
    return Urls(fresh_database, redis_url, broker_url)


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, shared_urls: Urls, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Stage]:
    """A platform whose processes may be killed; its servers are everybody's.

    A parameter of the test may hold settings.
    """
    with open_stage(shared_urls, sandbox, tmp_path, **getattr(request, "param", {})) as made:
        yield made


@pytest.fixture
def own_stage(own_pair: Pair, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
    """A platform on servers of its own, which may be stopped, too."""
    migrate(own_pair.database_url)
    with open_stage(own_pair.urls, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
def line(sandbox: Sandbox) -> Iterator[tuple[Relay, Sandbox]]:
    """The only way to the gateways, and the gateways at the end of it."""
    address = sandbox.address
    with relay_to_port(address.host, address.port) as (relay, port):
        behind = Address(address.host, port, address.mtls_port, address.ca)
        account = make_service_account(PROJECT, behind.token_uri)
        half = service_account_half(account)
        sandbox.control.register(half)
        yield (
            relay,
            Sandbox(
                behind, sandbox.control, sandbox.http, sandbox.folder, account, sandbox.key, half
            ),
        )
        sandbox.control.revoke(account["private_key_id"])
