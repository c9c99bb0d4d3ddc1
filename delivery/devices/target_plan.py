"""From what a caller says about a token to a target; pure."""

from dataclasses import dataclass, field

from core.errors import FieldError, InvalidPayloadError
from delivery.devices.device import KINDS, TargetPlan, clean_token


@dataclass(frozen=True, slots=True)
class TargetClaim:
    """A token as a caller describes it, with or without the parts that can be guessed."""

    provider: str
    kind: str | None
    token: str | None = field(repr=False)
    fid: str | None = field(repr=False)
    environment: str | None
    topic: str | None


def plan_target(claim: TargetClaim, *, allows_production: bool) -> TargetPlan:
    """Return the target; raise `InvalidPayloadError` with pointers.

    APNs needs an environment (production unless said otherwise); FCM knows none, nor a topic.
    """
    kind = claim.kind or _usual_kind(claim)
    environment = claim.environment
    if claim.provider == "apns":
        environment = environment or "production"
    wrong = [*_token_faults(claim, kind), *_place_faults(claim)]
    if environment == "production" and not allows_production:
        words = "This installation is for staging and refuses production tokens."
        wrong.append(FieldError("/environment", "production_in_staging", words))
    token = clean_token(claim.provider, kind, claim.token or claim.fid or "")
    if token is None and not wrong:
        pointer = "/fid" if claim.fid is not None else "/token"
        wrong.append(FieldError(pointer, "malformed_token", "No gateway gives such a token."))
    if wrong or token is None:
        raise InvalidPayloadError(fields=tuple(wrong))
    return TargetPlan(claim.provider, kind, token, environment, claim.topic)


def _usual_kind(claim: TargetClaim) -> str:
    if claim.provider == "apns":
        return "alert"
    return "fid" if claim.fid is not None else "token"


def _token_faults(claim: TargetClaim, kind: str) -> list[FieldError]:
    if claim.token is None and claim.fid is None:
        return [FieldError("/token", "missing", "Give a token, or for FCM a fid.")]
    if claim.token is not None and claim.fid is not None:
        return [FieldError("/fid", "invalid_value", "Give either a token or a fid.")]
    if kind not in KINDS[claim.provider]:
        kinds = ", ".join(KINDS[claim.provider])
        return [FieldError("/kind", "invalid_value", f"{claim.provider} has {kinds}.")]
    if (kind == "fid") != (claim.fid is not None):
        return [FieldError("/kind", "invalid_value", "A fid has the kind fid, all else not.")]
    return []


def _place_faults(claim: TargetClaim) -> list[FieldError]:
    if claim.provider == "apns":
        return []
    return [
        FieldError(f"/{name}", "invalid_value", "FCM has no such thing: leave it out.")
        for name, value in (("environment", claim.environment), ("topic", claim.topic))
        if value is not None
    ]
