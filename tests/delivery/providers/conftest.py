"""The providers over each transport, under credentials that the running sandbox knows."""

from collections.abc import Iterator

import pytest

from delivery.providers.registry import Endpoints, Providers
from delivery.transport import Transport
from delivery.transports import TransportKind, open_transport
from tests.delivery.providers.senders import Sender, apns_sender, certificate_sender, fcm_sender
from tests.delivery.sdk.failures import expect
from tests.fixtures.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


# What a provider promises and an SDK does not keep, under either way to authenticate to APNs.
_SDK_FAILURES = {
    "test_retry_after_reaches_the_engine": "A-11",
    "test_a_garbled_success_is_unknown": "A-12",
    "test_one_bad_device_does_not_disturb_the_others": "A-3",
}


@pytest.fixture(params=["http2", "sdk"])
def transport_kind(request: pytest.FixtureRequest) -> TransportKind:
    """Each transport in turn, the second with its known failures."""
    kind: TransportKind = request.param
    known = _SDK_FAILURES.get(request.node.originalname)
    if kind == "sdk" and known and request.node.callspec.params["sender"] is not fcm_sender:
        # Whom a broken connection takes along depends on who was answered before.
        expect(request, known, strict=known != "A-3")
    return kind


@pytest.fixture
def transport(transport_kind: TransportKind, sandbox: Sandbox) -> Iterator[Transport]:
    """A transport that trusts the sandbox."""
    transport = open_transport(transport_kind, sandbox.address.ca)
    yield transport
    transport.close()


@pytest.fixture
def endpoints(sandbox: Sandbox) -> Endpoints:
    """Where the sandbox plays which gateway."""
    address = sandbox.address
    return Endpoints(address.url, address.url, address.url, address.mtls_url)


@pytest.fixture
def providers(transport: Transport, endpoints: Endpoints) -> Providers:
    """A worker's providers."""
    return Providers(transport, endpoints)


@pytest.fixture
def fcm(providers: Providers, transport: Transport, sandbox: Sandbox) -> Sender:
    """FCM under a service account."""
    return fcm_sender(providers, transport, sandbox)


@pytest.fixture
def apns(providers: Providers, transport: Transport, sandbox: Sandbox) -> Sender:
    """APNs under a signing key."""
    return apns_sender(providers, transport, sandbox)


@pytest.fixture(params=[fcm_sender, apns_sender, certificate_sender])
def sender(
    request: pytest.FixtureRequest,
    providers: Providers,
    transport: Transport,
    sandbox: Sandbox,
) -> Sender:
    """Each provider in turn: what every provider promises is tested with this."""
    made: Sender = request.param(providers, transport, sandbox)
    return made
