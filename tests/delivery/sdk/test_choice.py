"""Which transport a setting opens."""

import subprocess
import sys

import pytest

from core.errors import SettingsError
from delivery.http2 import Http2Transport
from delivery.sdk import SdkTransport
from delivery.transports import open_transport


def test_each_setting_opens_its_transport() -> None:
    own, sdk = open_transport("http2", None), open_transport("sdk", None)

    assert isinstance(own, Http2Transport)
    assert isinstance(sdk, SdkTransport)
    own.close()
    sdk.close()


def test_a_proxy_that_the_sdks_would_go_past_is_refused() -> None:
    with pytest.raises(SettingsError, match="needs CARILLON_TRANSPORT=http2"):
        open_transport("sdk", None, proxy_url="http://proxy.example:3128")


def test_our_own_transport_loads_no_sdk() -> None:
    ask = "import sys, api.worker; print(sorted({'firebase_admin', 'aioapns'} & set(sys.modules)))"

    said = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert said.strip() == "[]"
