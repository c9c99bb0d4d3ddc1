"""The sandbox as a process: protocols of its listeners, client certificates, start and stop."""

import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from delivery.sandbox.authority import make_p12
from delivery.sandbox.client import (
    Address,
    SandboxStartError,
    read_address,
    start_sandbox,
    stop_sandbox,
)
from delivery.sandbox.tokens import apns_token, fcm_token
from tests.fixtures.sandbox import TOPIC, Sandbox, trust

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


def _handshake(sandbox: Sandbox, *protocols: str) -> tuple[str | None, bytes]:
    """Offer protocols, speak HTTP/2, and return what was agreed and the first frame's head."""
    context = trust(sandbox.address)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    where = (sandbox.address.host, sandbox.address.port)
    with (
        socket.create_connection(where, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=sandbox.address.host) as tls,
    ):
        tls.sendall(_PREFACE)
        return tls.selected_alpn_protocol(), tls.recv(9)


@pytest.mark.parametrize(("offered", "agreed"), [(("h2",), "h2"), ((), None)])
def test_http2_is_spoken_with_and_without_alpn(
    sandbox: Sandbox, offered: tuple[str, ...], agreed: str | None
) -> None:
    selected, frame = _handshake(sandbox, *offered)

    assert selected == agreed
    assert frame[3] == 4  # SETTINGS


def test_fcm_is_also_served_over_http_1(sandbox: Sandbox) -> None:
    bearer = sandbox.access_token()
    with httpx.Client(verify=trust(sandbox.address), trust_env=False) as plain:
        answer = plain.post(
            f"{sandbox.address.url}/v1/projects/{sandbox.account['project_id']}/messages:send",
            headers={"authorization": f"Bearer {bearer}"},
            json={"message": {"token": fcm_token("accepted", 1)}},
        )

    assert (answer.http_version, answer.status_code) == ("HTTP/1.1", 200)


def _client_context(sandbox: Sandbox) -> ssl.SSLContext:
    content = make_p12(sandbox.folder, TOPIC, "secret")
    key, certificate, _ = pkcs12.load_key_and_certificates(content, b"secret")
    assert key is not None
    assert certificate is not None
    context = trust(sandbox.address)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(certificate.public_bytes(Encoding.PEM))
        pem.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


def test_a_client_certificate_replaces_the_provider_token(sandbox: Sandbox) -> None:
    sandbox.control.register_certificate_topics(TOPIC)
    url = f"{sandbox.address.mtls_url}/3/device/{apns_token('accepted', 1)}"
    with httpx.Client(http2=True, verify=_client_context(sandbox), trust_env=False) as client:
        default = client.post(url, json={"aps": {"alert": "Hello"}})
        foreign = client.post(url, headers={"apns-topic": "com.other"}, json={"aps": {"a": 1}})

    assert default.status_code == 200
    assert foreign.json() == {"reason": "TopicDisallowed"}


def test_the_certificate_listener_refuses_strangers(sandbox: Sandbox) -> None:
    with (
        httpx.Client(http2=True, verify=trust(sandbox.address), trust_env=False) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.post(f"{sandbox.address.mtls_url}/3/device/{apns_token('accepted', 1)}")


def test_it_stops_at_once_while_a_client_stays_connected(tmp_path: Path) -> None:
    process, address = start_sandbox(tmp_path)
    ready = json.loads((tmp_path / "ready.json").read_bytes())
    with httpx.Client(http2=True, verify=trust(address), trust_env=False) as client:
        assert client.get(f"{address.url}/control/stats").status_code == 200

        assert stop_sandbox(process) == 0

    assert ready["pid"] == process.pid
    assert not (tmp_path / "ready.json").exists()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = "import sys, pathlib; from delivery.sandbox.client import start_sandbox\n"
    code += "start_sandbox(pathlib.Path(sys.argv[1])); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE
    ) as parent:
        assert _becomes(lambda: read_address(tmp_path) is not None)

        parent.kill()

    assert _becomes(lambda: read_address(tmp_path) is None)


def _becomes(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()


def test_an_ipv6_address_is_bracketed_in_its_urls() -> None:
    address = Address("::1", 1, 2, Path("ca.pem"))

    assert (address.url, address.mtls_url) == ("https://[::1]:1", "https://[::1]:2")


def test_its_authority_can_be_kept_over_restarts(tmp_path: Path) -> None:
    first, _ = start_sandbox(tmp_path)
    stop_sandbox(first)
    before = (tmp_path / "ca.pem").read_bytes()

    second, _ = start_sandbox(tmp_path, "--keep-authority")
    stop_sandbox(second)

    assert (tmp_path / "ca.pem").read_bytes() == before


def test_without_control_nobody_steers_it(tmp_path: Path) -> None:
    process, address = start_sandbox(tmp_path, "--no-control")
    try:
        with httpx.Client(http2=True, verify=trust(address), trust_env=False) as client:
            answer = client.get(f"{address.url}/control/stats")
    finally:
        stop_sandbox(process)

    assert answer.json() == {"reason": "BadPath"}


def test_a_bad_profile_keeps_it_from_starting(tmp_path: Path) -> None:
    with pytest.raises(SandboxStartError, match="speed is no field"):
        start_sandbox(tmp_path, "--profile", '{"speed":1}')
