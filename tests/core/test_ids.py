"""Public ids."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from core.ids import delivery_id


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1))
def test_the_id_of_a_delivery_is_the_uuid_of_its_message_and_device(
    message: str, device: int
) -> None:
    namespace = uuid.UUID("6f0d3c0a-3f0e-5f7e-9a53-0d5a6a1c7b21")

    assert delivery_id(message, device) == str(uuid.uuid5(namespace, f"{message}/{device}"))


def test_the_id_of_a_delivery_never_changes() -> None:
    assert delivery_id("msg_1", 7) == "797ee767-5d86-52f3-adff-54d2fb0243fb"
