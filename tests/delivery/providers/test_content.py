"""Reserved data keys and the values of data."""

from typing import Any

import pytest

from delivery.providers.content import custom_data, is_reserved_data_key
from delivery.push import Notification, Unsendable
from tests.delivery.providers.pushes import fcm_push

RESERVED = (
    "",
    "from",
    "gcm",
    "message_type",
    "collapse_key",
    "aps",
    "google",
    "google.x",
    "googleads",
    "gcm.notification.title",
    "carillon_message_id",
)


@pytest.mark.parametrize("key", RESERVED)
def test_a_reserved_key_is_refused(key: str) -> None:
    refusal = custom_data(fcm_push(notification=Notification(data={key: "x"})))

    assert is_reserved_data_key(key)
    assert refusal == Unsendable("render_error", f"The data key {key!r} is reserved.")


@pytest.mark.parametrize("key", ["fromage", "gcmx", "deep_link", "Google", "order_id"])
def test_other_keys_are_free(key: str) -> None:
    assert not is_reserved_data_key(key)


def test_values_must_be_text() -> None:
    data: dict[str, Any] = {"n": 1}

    refusal = custom_data(fcm_push(notification=Notification(data=data)))

    assert refusal == Unsendable("render_error", "The value of data key 'n' is not text.")


def test_the_deep_link_comes_before_a_data_key_of_that_name() -> None:
    notification = Notification(data={"deep_link": "a"}, deep_link="b")

    data = custom_data(fcm_push(notification=notification))

    assert isinstance(data, dict)
    assert data["deep_link"] == "b"
