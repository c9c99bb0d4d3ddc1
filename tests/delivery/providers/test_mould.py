"""Bodies from moulds: equal to what the builder writes for each push alone."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers import apns_payload, fcm_payload
from delivery.push import Encoded, Notification, Push, Unsendable
from tests.delivery.providers.pushes import NOW, apns_push, collapse_ids, fcm_push, texts

BUNDLE = "com.example.app"
FIELDS = ("title", "body", "subtitle", "image", "sound", "deep_link")

links = st.sampled_from(
    ["https://", "https://example.com/x", "http://a", "app://%s/%b", "%", '"\\']
)
some_texts = st.one_of(st.just(""), links, texts)
keys = st.one_of(st.text(max_size=8), st.sampled_from(["title", "%b", "image", "deep_link", "a.b"]))
tokens = st.one_of(st.text(max_size=70), st.just("ab" * 32), st.just("cSbx:APA91b-_"))


@st.composite
def blanked(draw: st.DrawFn) -> tuple[Notification, tuple[str, ...]]:
    """A notification with some of its texts left blank, and texts for the blanks."""
    given: dict[str, Any] = {name: draw(st.none() | some_texts) for name in FIELDS}
    data = draw(st.dictionaries(keys, some_texts, max_size=3))
    names = [name for name in FIELDS if given[name] is not None] + [f"data.{key}" for key in data]
    blanks = tuple(draw(st.lists(st.sampled_from(names), unique=True))) if names else ()
    notification = Notification(
        **given,
        data=data,
        badge=draw(st.none() | st.integers(0, 9)),
        extra=draw(st.sampled_from([{}, {"thread-id": "%s"}, {"x": 1, "timestamp": 1}])),
        silent=draw(st.booleans()),
        blanks=blanks,
    )
    return notification, tuple(draw(some_texts) for _ in blanks)


def fields_of(made: Encoded | Unsendable) -> Any:
    """What goes on the wire, or the refusal."""
    if isinstance(made, Unsendable):
        return made
    return made.path, made.headers, made.varying, made.body


def pushes_like(push: Push, personal: tuple[Notification, tuple[str, ...]], token: str) -> Push:
    return replace(push, notification=personal[0], texts=personal[1], token=token)


@given(
    blanked(),
    tokens,
    collapse_ids,
    st.sampled_from(["alert", "voip", "live_activity", "nothing"]),
    st.sampled_from(["high", "normal"]),
    st.sampled_from([None, "org.other", "\n"]),
)
def test_an_apns_request_is_that_of_the_push_alone(  # noqa: PLR0917 (what it depends on)
    personal: tuple[Notification, tuple[str, ...]],
    token: str,
    collapse_id: str | None,
    kind: str,
    priority: str,
    topic: str | None,
) -> None:
    like = apns_push(kind=kind, collapse_id=collapse_id, priority=priority, topic=topic)
    push = pushes_like(like, personal, token)

    alone = apns_payload.encode_alone(push, BUNDLE)

    assert fields_of(apns_payload.encode(push, BUNDLE)) == fields_of(alone)


@given(
    blanked(),
    tokens,
    collapse_ids,
    st.sampled_from(["token", "fid", "nothing"]),
    st.sampled_from(["high", "normal"]),
    st.sampled_from(["android", "ios", "web"]),
)
def test_an_fcm_request_is_that_of_the_push_alone(  # noqa: PLR0917 (what it depends on)
    personal: tuple[Notification, tuple[str, ...]],
    token: str,
    collapse_id: str | None,
    kind: str,
    priority: str,
    platform: str,
) -> None:
    like = fcm_push(kind=kind, collapse_id=collapse_id, priority=priority, platform=platform)
    push = pushes_like(like, personal, token)

    alone = fcm_payload.encode_alone(push, "project-1", NOW)

    assert fields_of(fcm_payload.encode(push, "project-1", NOW)) == fields_of(alone)


@given(st.lists(st.tuples(some_texts, some_texts), min_size=2, max_size=6))
def test_pushes_of_one_notification_do_not_get_each_others_texts(
    pairs: list[tuple[str, str]],
) -> None:
    notification = Notification(title="", body="B", data={"k": ""}, blanks=("data.k", "title"))
    for number, pair in enumerate(pairs):
        push = replace(
            apns_push(notification=notification), texts=pair, id=f"{number:036}", token=f"{number}"
        )
        both = apns_payload.encode(push, BUNDLE), apns_payload.encode_alone(push, BUNDLE)
        assert fields_of(both[0]) == fields_of(both[1])


@pytest.mark.parametrize("unit", ["x", "é", "🎉", '"', "\n"])
@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_of_personal_texts_is_exact_to_the_byte(unit: str, more: int) -> None:
    notification = Notification(title="", body="B", blanks=("title",))
    push = apns_push(notification=notification)
    empty = apns_payload.encode(replace(push, texts=("x",)), BUNDLE)
    assert isinstance(empty, Encoded)
    width = 2 if unit in {'"', "\n"} else len(unit.encode())
    count, rest = divmod(4_096 - len(empty.body) + 1 + more, width)

    made = apns_payload.encode(replace(push, texts=(unit * count + "x" * rest,)), BUNDLE)

    if more:
        assert made == Unsendable(
            "too_large", "The APNs payload has 4097 bytes; at most 4096 are allowed."
        )
    else:
        assert isinstance(made, Encoded)
        assert len(made.body) == 4_096
