"""The providers over libcurl, under credentials that the running sandbox knows."""

from collections.abc import Iterator

import pytest

from delivery.curl import CurlTransport
from delivery.providers.registry import Endpoints, Providers
from tests.delivery.providers.senders import Sender, apns_sender, certificate_sender, fcm_sender
from tests.fixtures.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def transport(sandbox: Sandbox) -> Iterator[CurlTransport]:
    """A transport that trusts the sandbox."""
    transport = CurlTransport(sandbox.address.ca)
    yield transport
    transport.close()


@pytest.fixture
def endpoints(sandbox: Sandbox) -> Endpoints:
    """Where the sandbox plays which gateway."""
    address = sandbox.address
    return Endpoints(address.url, address.url, address.url, address.mtls_url)


@pytest.fixture
def providers(transport: CurlTransport, endpoints: Endpoints) -> Providers:
    """A worker's providers."""
    return Providers(transport, endpoints)


@pytest.fixture
def fcm(providers: Providers, transport: CurlTransport, sandbox: Sandbox) -> Sender:
    """FCM under a service account."""
    return fcm_sender(providers, transport, sandbox)


@pytest.fixture
def apns(providers: Providers, transport: CurlTransport, sandbox: Sandbox) -> Sender:
    """APNs under a signing key."""
    return apns_sender(providers, transport, sandbox)


@pytest.fixture(params=[fcm_sender, apns_sender, certificate_sender])
def sender(
    request: pytest.FixtureRequest,
    providers: Providers,
    transport: CurlTransport,
    sandbox: Sandbox,
) -> Sender:
    """Each provider in turn: what every provider promises is tested with this."""
    made: Sender = request.param(providers, transport, sandbox)
    return made
