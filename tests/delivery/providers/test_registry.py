"""Which provider a credential gets."""

from core.settings import Settings
from delivery.providers.registry import Endpoints, Providers
from delivery.sandbox.credentials import make_apns_key
from delivery.transports import open_transport
from tests.delivery.providers.senders import credential


def test_endpoints_come_from_the_settings() -> None:
    settings = Settings(fcm_url="https://f", apns_certificate_url="https://c")

    endpoints = Endpoints.from_settings(settings)

    assert endpoints == Endpoints(
        "https://f", "https://api.push.apple.com", "https://api.sandbox.push.apple.com", "https://c"
    )


def test_a_provider_is_kept_until_its_credential_changes() -> None:
    key = make_apns_key()
    secret = {"p8": key.p8, "key_id": key.key_id, "team_id": key.team_id}
    one = credential("apns", "token", secret, 7)
    transport = open_transport("http2", None)
    providers = Providers(transport, Endpoints("https://f", "https://p", "https://d"))

    first = providers.for_credential(one, 1)

    assert providers.for_credential(one, 1) is first
    assert providers.for_credential(one, 2) is not first
    assert providers.for_credential(credential("apns", "token", secret, 8), 2) is not first
    transport.close()


def test_a_certificate_has_a_gateway_of_its_own_when_one_is_set() -> None:
    plain = Endpoints("https://f", "https://p", "https://d")

    assert plain.apns("production", certificate=True) == "https://p"
    assert plain.apns("development", certificate=True) == "https://d"
    special = Endpoints("https://f", "https://p", "https://d", "https://c")
    assert special.apns("production", certificate=True) == "https://c"
    assert special.apns("development", certificate=False) == "https://d"
    assert special.apns(None, certificate=False) == "https://p"
