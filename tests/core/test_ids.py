"""Public ids."""

import itertools
import uuid

from hypothesis import given
from hypothesis import strategies as st

from core.ids import (
    RecipientNumber,
    delivery_id,
    delivery_tag,
    message_tag,
    new_public_id,
    person_delivery_id,
    recipient_of,
)

_MESSAGES = st.text(st.characters(exclude_categories=["Cs"]))
_NUMBERS = st.integers(0, 2**61 - 1)


@given(_MESSAGES, _NUMBERS)
def test_the_id_of_a_delivery_leads_back_to_its_device(message: str, device: int) -> None:
    text = delivery_id(message, device)

    assert recipient_of(text, message) == RecipientNumber(device_id=device)
    assert recipient_of(text.upper(), message) == RecipientNumber(device_id=device)
    assert delivery_tag(text) == message_tag(message)


@given(_MESSAGES, _NUMBERS)
def test_so_does_that_of_a_person_without_a_device(message: str, person: int) -> None:
    text = person_delivery_id(message, person)

    assert recipient_of(text, message) == RecipientNumber(person_id=person)


@given(_MESSAGES, st.lists(_NUMBERS, min_size=2, max_size=2, unique=True))
def test_no_two_recipients_of_a_message_share_an_id(message: str, numbers: list[int]) -> None:
    ids = {make(message, one) for one in numbers for make in (delivery_id, person_delivery_id)}

    assert len(ids) == 4


@given(_NUMBERS)
def test_gateways_get_a_uuid_in_its_canonical_form(device: int) -> None:
    text = delivery_id(new_public_id("msg"), device)

    found = uuid.UUID(text)
    assert str(found) == text
    assert (found.version, found.variant) == (8, uuid.RFC_4122)


def test_neighbours_look_nothing_alike() -> None:
    message = new_public_id("msg")
    numbers = [int(delivery_id(message, device)[-12:], 16) for device in range(1_000, 1_100)]

    steps = {after - before for before, after in itertools.pairwise(numbers)}
    assert len(steps) == 99


def test_the_id_of_a_delivery_never_changes() -> None:
    assert delivery_id("msg_1", 7) == "116b88f1-7300-87be-ab65-01aadf5ce39b"


def test_another_message_and_other_texts_name_nobody() -> None:
    text = delivery_id("msg_1", 7)

    assert recipient_of(text, "msg_2") is None
    for wrong in ("", "797ee767-5d86-52f3-adff-54d2fb0243fb", text[:-1], text.replace("-", "")):
        assert recipient_of(wrong, "msg_1") is None
        assert delivery_tag(wrong) is None
