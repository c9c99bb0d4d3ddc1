"""Transports under trial, on a fault server of each test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.faults.gateway import GatewayRules
from bench.faults.script import Script, greet
from bench.faults.server import FaultServer, Options, serving
from delivery.sandbox.credentials import make_apns_key, make_service_account
from delivery.transport import Transport
from tests.http2.behaviours.behaviours import EXPECTED_FAILURES
from tests.http2.behaviours.driving import Sending
from tests.http2.behaviours.gateways import PROJECT, Gateways
from tests.http2.behaviours.sdk_failures import NOT_ASKED, SOMETIMES
from tests.http2.behaviours.transports import MAKERS, SHAPES

Serve = Callable[..., FaultServer]
MakeTransport = Callable[..., Transport]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test over our own transport and, at length, over those of the SDKs."""
    if "transport_kind" not in metafunc.fixturenames:
        return
    kinds = ("sdk",) if "gateways" in metafunc.fixturenames else ("aioapns", "firebase-admin")
    others = [
        pytest.param(kind, marks=pytest.mark.long)
        for kind in kinds
        if metafunc.function.__name__ not in NOT_ASKED[kind]
    ]
    metafunc.parametrize("transport_kind", ["http2", *others], indirect=True)


@pytest.fixture
def transport_kind(request: pytest.FixtureRequest) -> str:
    """Each transport in turn; what one is known to fail at is expected of it."""
    kind, name = str(request.param), request.node.originalname
    case = f"{name}[{_case(request.node.name[len(name) + 1 : -1], kind)}]"
    for failures, strict in ((EXPECTED_FAILURES, True), (SOMETIMES, False)):
        reason = failures.get(kind, {}).get(case) or failures.get(kind, {}).get(name)
        if reason:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=strict))
    return kind


def _case(parameters: str, kind: str) -> str:
    """Return the parameters of a test but its transport."""
    return parameters.removeprefix(f"{kind}-").removesuffix(f"-{kind}")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start fault servers that all have one authority."""
    with ExitStack() as stack:

        def start(script: Script | None = None, options: Options | None = None) -> FaultServer:
            return stack.enter_context(serving(tmp_path / "authority", script, options))

        yield start


@pytest.fixture
def make_transport(transport_kind: str) -> Iterator[MakeTransport]:
    """Make a transport that trusts an authority; settings go to its constructor."""
    made: list[Transport] = []

    def make(ca: Path | None, **settings: Any) -> Transport:
        made.append(MAKERS[transport_kind](ca, **settings))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def send_to(make_transport: MakeTransport, transport_kind: str) -> Callable[..., Sending]:
    """Make a sending to a server over a transport of its own."""

    def start(server: FaultServer, **settings: Any) -> Sending:
        return Sending(make_transport(server.ca, **settings), server, SHAPES[transport_kind])

    return start


@pytest.fixture(scope="session")
def service_account() -> dict[str, str]:
    """A service account; its token_uri has to be set to a server's."""
    return make_service_account(PROJECT, "https://127.0.0.1:1/token")


@pytest.fixture
def gateways(
    tmp_path: Path, make_transport: MakeTransport, service_account: dict[str, str]
) -> Iterator[Gateways]:
    """Providers under credentials that the gateways on a fault server know."""
    rules = GatewayRules(tmp_path / "gateway")
    script = Script(arrived=rules.answer, opened=greet(100))
    with serving(tmp_path / "authority", script) as server:
        account = {**service_account, "token_uri": f"{server.url}/token"}
        yield Gateways(server, rules, make_transport(server.ca), make_apns_key(), account)
    rules.close()
