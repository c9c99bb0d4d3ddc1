"""States and reasons as sentences for people. Pure; docs/reference/reasons.md lists them."""

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

MESSAGE_STATES: Mapping[str, str] = {
    "scheduled": "waits for its time",
    "running": "is being sent",
    "paused": "is paused",
    "finished": "is finished",
    "cancelled": "was cancelled",
    "failed": "could not be sent",
}

# The steps from whom a rule means to whom can be reached.
WATERFALL: Mapping[str, str] = {
    "matched": "The rule holds",
    "device": "have a device",
    "consent": "allow push",
    "permission": "have notifications on",
    "suppression_list": "are not on the suppression list",
}

# What a recipient ended with. What a gateway says otherwise is shown in its own words.
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

# What a recipient that is still open waits for.
WAITING: Mapping[str, str] = {
    "kill_switch": "A kill switch stops sending. Lift it to go on.",
    "message_paused": "The message is paused. Resume it to go on.",
    "project_frozen": "The gateway asked for a pause. Sending goes on by itself.",
    "credential_retired": "The credential was deleted. Add a new one under Apps.",
    "credential_paused": "The credential is paused. Mend it and resume it under Apps.",
    "third_party_auth_error": "Apple or the web push service refuses the Firebase project's key. "
    "Mend it in the Firebase console; sending goes on by itself.",
    "defect": "Preparing it failed by a fault of ours. They are tried again soon.",
    "collapse_budget": "These devices had their share of collapsible messages. They follow slowly.",
    "newer_first": "A newer message with the same collapse id goes first. They are sent if that "
    "one does not reach the device.",
    "device_quota_exceeded": "These devices got too many messages. They are tried again soon.",
    "quota_exceeded": "The project's quota is used up. Sending goes on by itself.",
    "too_many_requests": "Apple asks to wait for these devices. They are tried again soon.",
    "unavailable": "The gateway is not available for a moment. They are tried again soon.",
    "service_unavailable": "The gateway is not available for a moment. They are tried again soon.",
    "internal": "The gateway has a fault of its own. They are tried again soon.",
    "internal_server_error": "The gateway has a fault of its own. They are tried again soon.",
    "oauth_unavailable": "Google gives no access token at the moment. They are tried again soon.",
    "lease_short": "The worker handed them on. They are sent next.",
}

# What makes a message take its time.
LIMITS: Mapping[str, str] = {
    "rate": "its own rate decides",
    "quota": "the gateway's quota decides",
    "platform": "the speed of this installation decides",
}


def takes(seconds: float, limited_by: str | None) -> str:
    """Return how long a message takes and why, as a sentence."""
    decides = f": {LIMITS.get(limited_by, plain(limited_by))}" if limited_by else ""
    return f"It takes about {duration(seconds)}{decides}."


def duration(seconds: float) -> str:
    """Return a time in the units people say it in."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return "a second" if seconds <= 1 else f"{seconds:,.0f} seconds"


def why(state: str, reason: str | None, gateway: str | None = None) -> str:
    """Return what became of one recipient, and why, as a sentence."""
    if state == "pending":
        return waits_for(reason)
    if reason is None:
        return STATES.get(state, state)
    known = REASONS.get(reason) or f"{STATES.get(state, state)} It said: {plain(reason)}."
    said = gateway if gateway and state in {"rejected", "suppressed"} else ""
    return f"{known} ({said})" if said else known


def waits_for(reason: str | None, words: str = "") -> str:
    """Return what recipients wait for; `words` are the API's own, which go first."""
    if words:
        return words
    if reason is None:
        return "Its turn has not come yet."
    # The fault of a credential too: then nothing goes on by itself.
    return WAITING.get(reason) or f"It waits to be tried again. The reason given: {plain(reason)}."


def plain(name: str) -> str:
    """Return a name of the API as words."""
    return name.replace("_", " ")
