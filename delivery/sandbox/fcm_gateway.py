"""FCM HTTP v1 and its token endpoint: from a request that was read whole to its reply."""

from collections.abc import Mapping

from delivery.sandbox.answer import JSON_HEADERS, Answer, Reply, Request, json_answer
from delivery.sandbox.fcm import SEND_PATH, Message, read_message
from delivery.sandbox.fcm_errors import UNAUTHENTICATED_TEXT, Fault, error_info
from delivery.sandbox.gateway import Gateway, fcm_answer, make_push, never
from delivery.sandbox.oauth import SEND_SCOPES, Assertion, read_assertion, refused
from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.provider_token import token_text
from delivery.sandbox.record import short_hash
from delivery.sandbox.tokens import fcm_outcome

_UNAUTHENTICATED = Fault(401, "UNAUTHENTICATED", UNAUTHENTICATED_TEXT)
_NO_PROJECT = Fault(404, "NOT_FOUND", "Requested entity was not found.")
_NO_METHOD = Fault(404, "NOT_FOUND", "Method not found.")
_NO_SCOPE = Fault(
    403,
    "PERMISSION_DENIED",
    "Request had insufficient authentication scopes.",
    (error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),),
)
_OTHER_PROJECT = Fault(
    403,
    "PERMISSION_DENIED",
    "Permission 'cloudmessaging.messages.create' denied on resource.",
    (error_info("IAM_PERMISSION_DENIED", permission="cloudmessaging.messages.create"),),
)


def answer_token(gateway: Gateway, request: Request) -> Reply:
    """Answer one request to the OAuth token endpoint."""
    profile = gateway.profile
    delay = profile.oauth_delay_seconds
    if request.method != "POST":
        return Reply(refused(405, "invalid_request", "Use POST."), delay)
    if profile.oauth_failure == "unavailable":
        return Reply(refused(503, "temporarily_unavailable", "Try again later."), delay)
    if profile.oauth_failure == "invalid_grant":
        return Reply(refused(400, "invalid_grant", "Invalid JWT Signature."), delay)
    here = f"https://{request.header('host') or ''}/token"
    read = read_assertion(request.body, gateway.registry.accounts, here, gateway.now())
    if isinstance(read, Assertion):
        answer = gateway.access_tokens.issue(read, gateway.now(), profile.oauth_expires_in)
        return Reply(answer, delay)
    return Reply(read, delay)


def answer_fcm(gateway: Gateway, request: Request) -> Reply:
    """Answer one send request."""
    match = SEND_PATH.fullmatch(request.path)
    if match is None or request.method != "POST":
        return Reply(_NO_METHOD.answer())
    project = match[1]
    fault = _sender_fault(gateway, request, project)
    if fault is not None:
        return Reply(_with_challenge(fault))
    refusal = _quota_refusal(gateway, project)
    if refusal is not None:
        return Reply(refusal)
    message = read_message(request.body)
    if isinstance(message, Fault):
        return Reply(message.answer())
    return _deliver(gateway, request, project, message)


def _deliver(gateway: Gateway, request: Request, project: str, message: Message) -> Reply:
    key = _message_key(gateway.profile.message_keys, message.data)
    name = key or f"{short_hash(request.body):016x}"
    push = make_push("fcm", message.target, name, request.body, project)
    if message.validate_only:
        gateway.record.validated += 1
        forced = gateway.profile.outcome_forced_on("fcm", project)
        if forced is not None and not OUTCOMES[forced].accepts:
            return Reply(fcm_answer(OUTCOMES[forced], ()))
        return Reply(_success(project, "fake_message_id", "validated"))
    profile, now = gateway.profile, gateway.now()
    limits = (profile.fcm_device_per_minute, profile.fcm_device_per_hour)
    if gateway.devices.is_full(message.target, now, *limits):
        return Reply(fcm_answer(OUTCOMES["quota_exceeded_device"], ()))
    outcome, accepted = gateway.decide(push, fcm_outcome(message.target))
    if accepted and message.is_collapsible:
        gateway.devices.spend_collapsible(message.target, now)
    if outcome.hangs:
        return never(outcome.name)
    if accepted:
        stamp = f"0:{int(gateway.now() * 1_000_000)}%{push.pair:016x}"
        answer = _success(project, stamp, "accepted")
    else:
        answer = fcm_answer(outcome, gateway.retry_after(outcome.retry_after))
    return Reply(answer, gateway.delay(push.pair, outcome))


def _success(project: str, message_id: str, label: str) -> Answer:
    return json_answer(200, label, {"name": f"projects/{project}/messages/{message_id}"})


def _sender_fault(gateway: Gateway, request: Request, project: str) -> Fault | None:
    """Check the access token, then the project, then whether one belongs to the other."""
    if gateway.profile.accept_any_credentials:
        return None if token_text(request.header("authorization")) else _UNAUTHENTICATED
    text = token_text(request.header("authorization"))
    grant = gateway.access_tokens.find(text, gateway.now())
    if grant is None:
        return _UNAUTHENTICATED
    known = gateway.registry.project(project)
    if known is None:
        return _NO_PROJECT
    if not grant.scopes & SEND_SCOPES:
        return _NO_SCOPE
    return None if grant.project_id == known else _OTHER_PROJECT


def _quota_refusal(gateway: Gateway, project: str) -> Answer | None:
    profile, now = gateway.profile, gateway.now()
    limit, window = profile.fcm_quota_per_minute, profile.fcm_quota_window_seconds
    if limit is None or gateway.quotas.take(project, limit, window, now):
        return None
    outcome = OUTCOMES[profile.fcm_quota_outcome]
    left = gateway.quotas.left_seconds(project, window, now)
    return fcm_answer(outcome, gateway.retry_after(outcome.retry_after, left))


def _with_challenge(fault: Fault) -> Answer:
    answer = fault.answer()
    headers = JSON_HEADERS
    if fault.status == 401:
        headers += (("www-authenticate", 'Bearer realm="https://accounts.google.com/"'),)
    return Answer(answer.status, answer.label, headers, answer.body)


def _message_key(keys: tuple[str, ...], data: Mapping[str, str]) -> str | None:
    """Name the message as the sender does, by the first of the agreed data keys."""
    return next((data[key] for key in keys if data.get(key)), None)
