"""Pushes to build payloads from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from delivery.push import Notification, Push

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ID = "0b8e5c1e-7c6d-4b57-9a0e-3a5d3c1f2b10"

_PUSH = Push(
    id=ID,
    message_id="msg_1",
    token="ab" * 32,
    kind="alert",
    platform="ios",
    topic=None,
    notification=Notification(title="T", body="B"),
    expires_at=NOW + timedelta(hours=1),
    collapse_id=None,
    priority="high",
)


def apns_push(**changes: Any) -> Push:
    """An alert to an APNs token, with some fields changed."""
    return replace(_PUSH, **changes)


def fcm_push(**changes: Any) -> Push:
    """A message to an FCM registration token, with some fields changed."""
    return replace(_PUSH, **({"kind": "token", "platform": "android"} | changes))


# Lone surrogates too: they come in as JSON escapes and can not be written as UTF-8.
texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="aé€🎉", min_size=500, max_size=1_500),
    st.just("\ud800"),
)
notifications = st.builds(
    Notification,
    title=st.none() | texts,
    body=st.none() | texts,
    subtitle=st.none() | texts,
    image=st.none() | st.just("https://example.com/a.png"),
    sound=st.none() | st.just("default"),
    badge=st.none() | st.integers(0, 99),
    deep_link=st.none() | st.just("https://example.com/x") | texts,
    data=st.dictionaries(st.text(max_size=20), texts, max_size=3),
    silent=st.booleans(),
)
collapse_ids = st.none() | st.text(min_size=1, max_size=70)
