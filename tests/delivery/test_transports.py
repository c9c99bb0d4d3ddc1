"""Which transport a setting opens."""

import pytest

from core.errors import SettingsError
from delivery.http2 import Http2Transport
from delivery.transports import open_transport


def test_our_own_sender_goes_through_a_proxy() -> None:
    transport = open_transport(
        "http2", None, proxy_url="http://user:pass@proxy:3128", connections=2
    )

    assert isinstance(transport, Http2Transport)
    transport.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy:3128",
        "http://",
        "http://proxy:none",
        "http://user:s3cret/xx@proxy:3128",
        "http://user:s3cret#xx@proxy:3128",
        "proxy:3128",
    ],
)
def test_a_proxy_that_can_not_be_one_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_transport("http2", None, proxy_url=url)

    assert "s3cret" not in refused.value.detail
    assert "CARILLON_GATEWAY_PROXY_URL" in refused.value.detail


def test_the_sdks_know_no_proxy() -> None:
    with pytest.raises(SettingsError, match="CARILLON_TRANSPORT=http2"):
        open_transport("sdk", None, proxy_url="http://proxy:3128")
