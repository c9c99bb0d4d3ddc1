"""A request that tells whether a gateway takes a credential, and reaches nobody; pure.

FCM is asked only to validate, for a topic that nobody has subscribed to. Of APNs nothing else than
a push can be asked: one for a token that can be nobody's, which Apple looks at after the sender.
It would wake no screen either: a background push holds no text.
https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
"""

import uuid
from datetime import UTC, datetime

from delivery.outcome import Accepted, Outcome, Paused, Rejected, Retry
from delivery.providers.apns_outcome import refused_again
from delivery.push import Encoded, Notification, Push
from delivery.transport import Fields

_FCM_BODY = b'{"validate_only":true,"message":{"topic":"carillon-probe","data":{"probe":"1"}}}'
_APNS_BODY = b'{"aps":{"content-available":1}}'
# No hexadecimal digits at all: no device ever had such a token.
_NOBODYS_TOKEN = "carillon-probe"  # noqa: S105
# What a gateway says of a request that it has let in.
_LET_IN = frozenset({"bad_device_token", "device_token_not_for_topic", "invalid_argument"})


def fcm_probe(project_id: str) -> Encoded:
    """Return the request for a project."""
    path = f"/v1/projects/{project_id}/messages:send"
    return Encoded(_push(), path, (("content-type", "application/json"),), (), _FCM_BODY)


def apns_probe(topic: str | None) -> Encoded:
    """Return the request for a bundle id."""
    push = _push()
    headers: Fields = (("apns-push-type", "background"), ("apns-priority", "5"))
    if topic:
        headers += (("apns-topic", topic),)
    varying = (("apns-id", push.id), ("apns-expiration", "0"))
    return Encoded(push, f"/3/device/{_NOBODYS_TOKEN}", headers, varying, _APNS_BODY)


def verdict(outcome: Outcome) -> bool | Paused | None:
    """Return True when the credential works, why it does not, or None when nobody can say."""
    if isinstance(outcome, Accepted):
        return True
    if isinstance(outcome, Rejected):
        return True if outcome.reason in _LET_IN else None
    if isinstance(outcome, Paused):
        # A project that only some platforms can not be reached with is let in.
        return outcome if not outcome.platforms else True
    # The connection was new, so another one is no cure.
    return refused_again(outcome.reason) if isinstance(outcome, Retry) else None


def _push() -> Push:
    now = datetime.fromtimestamp(0, UTC)
    name = str(uuid.uuid4())
    return Push(name, "", _NOBODYS_TOKEN, "", "", None, Notification(silent=True), now, None, "")
