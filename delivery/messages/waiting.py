"""Why recipients wait, in words for people; pure."""

_WORDS = {
    "connection_lost": "The connection broke before an answer came; it is sent again by itself.",
    "credential_retired": "The credential was deleted; without another for its gateway it ends.",
    "defect": "Preparing it failed by a fault of ours; it is tried again by itself.",
    "collapse_budget": "The device had its share of collapsible messages; the next goes by itself.",
    "device_quota_exceeded": "The gateway limits this device; it is tried again by itself.",
    "gateway_unreachable": "The gateway can not be reached; it is tried again by itself.",
    "lease_short": "The worker had too little time left; it is tried again by itself.",
    "message_paused": "The message is paused; resume it to go on.",
    "newer_first": "A newer message with the same collapse id goes first; this one is sent if that "
    "one does not reach the device.",
    "no_outcome": "A worker lost sight of the push; it is sent again by itself.",
    "oauth_unavailable": "Google gives no access token at the moment; it is tried again by itself.",
    "project_frozen": "The gateway asked for a pause or gives no access; it goes on by itself.",
    "recording": "Nothing is sent to them; why is being recorded.",
    "quota_exceeded": "The gateway's quota is used up; sending goes on by itself.",
    "gateway_busy": "The gateway took too few at once; it is tried again by itself.",
    "third_party_auth_error": "Apple or the web push service refuses the key of the Firebase "
    "project; mend it in the Firebase console. It goes on by itself.",
    "stream_refused": "The gateway refused to take more at once; it is tried again by itself.",
    "timeout": "No answer came in time; it is sent again by itself.",
}
# Before the reason that was given for a switch, but for the one of the whole installation.
KILL_SWITCHES = {
    "everybody": "Sending is stopped for the whole installation.",
    "app": "A kill switch stops this app: ",
    "credential": "A kill switch stops this credential: ",
}
_OTHERS = "The gateway could not take it now; it is tried again by itself."


def words_for(reason: str) -> str:
    """Return the words for a reason; a credential's own words go before these."""
    return _WORDS.get(reason, _OTHERS)
