"""Preparing windows of a message."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from campaigns.preparer import TemplatePreparer
from delivery.chunks.chunk import MessageFacts
from delivery.engine.ports import Recipient, Skipped
from delivery.push import Rendered
from tests.campaigns.recipients import Someone

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def message(number: int, **content: Any) -> MessageFacts:
    return MessageFacts(
        1, number, f"msg_{number}", date(2026, 3, 1), "at_most_once", content, None, "high", None,
        "campaign", 1, NOW, NOW,
    )  # fmt: skip


def window(*platforms: str) -> list[Recipient]:
    """Devices of nobody: about them no database is asked."""
    return [Someone(None, platform=platform).recipient() for platform in platforms]


@pytest.fixture
def preparer() -> TemplatePreparer:
    """A preparer whose database does not answer."""
    return TemplatePreparer(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))


def prepared(preparer: TemplatePreparer, told: MessageFacts, *platforms: str) -> list[Rendered]:
    """What recipients on these platforms get; none may be skipped."""
    made = preparer.prepare(told, window(*platforms))
    return [one for one in made if not isinstance(one, Skipped)]


def test_what_is_equal_for_all_asks_no_database_and_is_one_notification(
    preparer: TemplatePreparer,
) -> None:
    told = message(1, title="Hello", ios={"title": "Hi"})

    first = prepared(preparer, told, "ios", "ios", "web")
    second = prepared(preparer, told, "macos")

    assert first[0] is first[1]
    assert [notification.title for notification, _ in first] == ["Hi", "Hi", "Hello"]
    # Encoders have it ready in later windows, too.
    assert second[0][0] is first[0][0]


def test_what_devices_tell_asks_no_database_either(preparer: TemplatePreparer) -> None:
    told = message(1, title="On {{ device.platform }}")

    made = prepared(preparer, told, "ios", "android")

    assert [texts for _, texts in made] == [("On ios",), ("On android",)]


@pytest.mark.parametrize("title", ["Hello", "{{ name }}"])
def test_people_are_asked_about(preparer: TemplatePreparer, title: str) -> None:
    with pytest.raises(OperationalError):
        preparer.prepare(message(1, title=title), [Someone({}).recipient()])


def test_nobodys_device_needs_no_person(preparer: TemplatePreparer) -> None:
    (made,) = preparer.prepare(message(1, title="{{ name }}"), window("ios"))

    assert made == Skipped("render_error", "title: 'name' is undefined")


def test_other_content_under_the_same_number_is_seen(preparer: TemplatePreparer) -> None:
    for title in ("One", "Two"):
        ((notification, _),) = prepared(preparer, message(1, title=title), "ios")
        assert notification.title == title


def test_few_messages_are_kept(preparer: TemplatePreparer) -> None:
    for number in range(100):
        preparer.prepare(message(number, title=f"Number {number}"), window("ios"))

    assert list(preparer._books) == list(range(84, 100))
