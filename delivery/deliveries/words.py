"""How a recipient ended and why, as sentences for people; docs/reference/reasons.md lists them."""

from collections.abc import Mapping

STATES: Mapping[str, str] = {
    "accepted": "The gateway took it and passes it on to the device.",
    "gone": "The app was removed from this device, or its registration ended. It is not sent to "
    "any more.",
    "rejected": "The gateway refused it for good.",
    "expired": "Its time ran out before it could be sent.",
    "unknown": "It was sent, but no answer came. It is not sent again, so that nobody gets it "
    "twice.",
    "suppressed": "It was not sent, for a reason of ours.",
    "pending": "It has not ended yet.",
}

# What the phone reported, see delivery/receipts.
RECEIPTS: Mapping[str, str] = {
    "confirmed": "The phone reported that it arrived.",
    "opened": "The phone reported that it was opened.",
}

# What a gateway says otherwise is shown in its own words.
REASONS: Mapping[str, str] = {
    "no_device": "This person has no device that can be reached.",
    "no_consent": "This person does not allow notifications.",
    "suppression_list": "This person is on the suppression list.",
    "no_permission": "Notifications are switched off on this device.",
    "no_credential": "The app has no credential for this device's gateway. Add one under Apps.",
    "suspect": "The gateway refused this token before. It is left alone until the app registers "
    "it again.",
    "retired_before_send": "The token had ended, or the device was removed, before its turn came.",
    "moved": "The device belonged to somebody else by the time its turn came.",
    "cancelled": "The message was cancelled before its turn came.",
    "superseded": "A newer message with the same collapse id reaches this device, so the older one "
    "was not sent.",
    "credential_retired": "The credential for this device's gateway was deleted before its turn "
    "came.",
    "defect": "Preparing it failed again and again, by a fault of ours. The worker's log says "
    "more.",
    "render_error": "A text could not be filled in for this person: a value is missing or wrong.",
    "too_large": "With this person's values the message is larger than the gateway allows.",
    "skipped_by_template": "The template itself decided to skip this person.",
    "unregistered": "The app was removed from this device, so the gateway ended its registration.",
    "expired_token": "The device's registration has expired. The app must register again.",
    "invalid_token": "The gateway does not know this token. The app must register again.",
    "bad_device_token": "Apple does not know this token here. It may be for the other environment.",
    "device_token_not_for_topic": "The token belongs to another app than the credential's.",
    "sender_id_mismatch": "The token belongs to another Firebase project.",
    "invalid_argument": "Google refused the message as invalid.",
    "payload_too_large": "The gateway found the message too large.",
    "bad_collapse_id": "Apple refused the collapse id.",
    "retries_exhausted": "It was tried several times, and the gateway was never able to take it.",
    "timeout": "The gateway gave no answer in time.",
    "unreadable_answer": "The gateway's answer could not be understood.",
    "no_outcome": "Its outcome was lost. Whether it arrived is not known.",
    "ttl": "Its time ran out before its turn came.",
    "connection_lost": "The connection broke before an answer came. Whether it arrived is not "
    "known.",
    "unconfirmed": "An earlier try may have arrived, without an answer. It was not sent again.",
    "worker_lost": "The worker was lost while it was on its way. Whether it arrived is not known.",
}


def ending(state: str, reason: str | None, gateway: str | None) -> str:
    """Return how a recipient ended, and what its gateway or we said about it."""
    if reason is None:
        return STATES.get(state, state)
    named = reason.replace("_", " ")
    words = REASONS.get(reason) or f"{STATES.get(state, state)} The reason given: {named}."
    said = gateway if gateway and state in {"rejected", "suppressed"} else ""
    return f"{words} ({said})" if said else words
