"""Tokens whose text chooses an outcome: minting them, and reading the outcome back."""

from hashlib import shake_128

from delivery.sandbox.outcomes import BY_CODE, OUTCOMES, Outcome

_APNS_PREFIX = "5a4db0c5"
_FID_PREFIX = "cSbx"
_FCM_MARK = ":APA91b"
_FCM_FILLER = 60

ACCEPTED = OUTCOMES["accepted"]


class UnknownOutcomeError(ValueError):
    """No such outcome for this gateway; GET /control/outcomes lists them."""


def _find(outcome: str, provider: str) -> Outcome:
    found = OUTCOMES.get(outcome)
    if found is None or not found.fits(provider):
        raise UnknownOutcomeError(f"{outcome!r} is no outcome of {provider}")
    return found


def apns_token(outcome: str, serial: int) -> str:
    """Mint a device token of 64 hex digits; the serial makes it distinct."""
    return f"{_APNS_PREFIX}{_find(outcome, 'apns').code:02x}{serial:054x}"


def fcm_fid(outcome: str, serial: int) -> str:
    """Mint a Firebase installation id of 22 characters."""
    return f"{_FID_PREFIX}{_find(outcome, 'fcm').code:02x}{serial:016x}"


def fcm_token(outcome: str, serial: int) -> str:
    """Mint a registration token: an installation id, then the outcome in plain words."""
    found = _find(outcome, "fcm")
    head = f"{_FID_PREFIX}{found.code:02x}{serial:016x}{_FCM_MARK}{found.name}-"
    return head + shake_128(head.encode()).hexdigest(_FCM_FILLER)


def apns_outcome(token: str) -> Outcome:
    """Read the outcome of a device token; a plain token is accepted."""
    if not token.startswith(_APNS_PREFIX):
        return ACCEPTED
    return BY_CODE.get(int(token[8:10], 16), ACCEPTED)


def fcm_outcome(target: str) -> Outcome:
    """Read the outcome of a registration token or installation id; a plain one is accepted."""
    _, mark, rest = target.partition(_FCM_MARK)
    if mark:
        return OUTCOMES.get(rest.partition("-")[0], ACCEPTED)
    if not target.startswith(_FID_PREFIX):
        return ACCEPTED
    try:
        return BY_CODE.get(int(target[4:6], 16), ACCEPTED)
    except ValueError:
        return ACCEPTED
