"""APNs: from a request that was read whole to its reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from delivery.sandbox import apns
from delivery.sandbox.answer import Answer, Headers, Reply, Request
from delivery.sandbox.connections import Connection
from delivery.sandbox.gateway import Gateway, apns_answer, make_push, never, reason_answer
from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.provider_token import (
    ProviderToken,
    age_refusal,
    environment_refusal,
    read_token,
    token_text,
)
from delivery.sandbox.reasons import REASONS
from delivery.sandbox.record import short_hash
from delivery.sandbox.tokens import apns_outcome

_TOKENS_KEPT = 4096
_ABOUT_TOPIC = ("BadTopic", "MissingTopic", "TopicDisallowed")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: a key or a certificate, and what it may do."""

    credential: str
    topics: frozenset[str]
    environment: str
    certificate: bool = False


def answer_apns(
    gateway: Gateway, request: Request, connection: Connection, *, certificate: bool
) -> Reply:
    """Answer one request to the provider API."""
    headers = dict(request.headers)
    echo: Headers = (("apns-id", headers.get("apns-id") or _made_id(request, b"apns-id")),)
    names = [name for name, _ in request.headers]
    reason = apns.line_refusal(request.method, request.path, names)
    if reason is not None:
        return Reply(reason_answer(reason, echo, gateway.now()))
    sender = _certified(gateway) if certificate else _authenticate(gateway, headers, connection)
    if isinstance(sender, str):
        return Reply(reason_answer(sender, echo, gateway.now()))
    token = request.path[len(apns.PATH) :]
    push = apns.Push(token, headers, request.body, sender.topics, sender.certificate)
    # Whom Apple does not let in hears nothing about the push.
    reason = _forced_on_sender(gateway, sender) or apns.push_refusal(push)
    if reason is not None:
        return Reply(reason_answer(reason, echo, gateway.now()))
    if sender.environment == "development":
        echo += (("apns-unique-id", _made_id(request, b"unique")),)
    return _deliver(gateway, push, sender.credential, echo)


def _forced_on_sender(gateway: Gateway, sender: Sender) -> str | None:
    forced = gateway.profile.outcome_forced_on("apns", sender.credential)
    reason = OUTCOMES[forced].reason if forced is not None else ""
    return reason if REASONS.get(reason) == 403 or reason in _ABOUT_TOPIC else None


def _deliver(gateway: Gateway, push: apns.Push, credential: str, echo: Headers) -> Reply:
    message = _message(push.headers, push.body)
    sent = make_push("apns", push.token.lower(), message, push.body, credential)
    outcome, accepted = gateway.decide(sent, apns_outcome(push.token.lower()))
    if outcome.hangs:
        return never(outcome.name)
    if accepted:
        answer = Answer(200, "accepted", echo)
    else:
        headers = echo + gateway.retry_after(outcome.retry_after)
        answer = apns_answer(outcome, headers, gateway.now())
    return Reply(answer, gateway.delay(sent.pair, outcome))


def _certified(gateway: Gateway) -> Sender:
    """Trust the TLS handshake; which certificate it was cannot be seen, only what all may do."""
    topics, environment = gateway.registry.certificate_topics, gateway.profile.apns_environment
    return Sender("certificate", topics, environment, certificate=True)


def _authenticate(
    gateway: Gateway, headers: Mapping[str, str], connection: Connection
) -> Sender | str:
    """Find who signed the provider token, or the reason for which it is refused."""
    text = token_text(headers.get("authorization"))
    if text is None:
        return "MissingProviderToken"
    token = _known_token(gateway, text)
    if token is None:
        return "InvalidProviderToken"
    profile, now = gateway.profile, gateway.now()
    reason = age_refusal(token, now) or environment_refusal(token, profile.apns_environment)
    if reason == "ExpiredProviderToken" and profile.wedge_after_expired:
        connection.wedged = True
    if connection.wedged:
        return "ExpiredProviderToken"
    if reason is None and profile.connection_rules:
        reason = connection.refusal_of(token)
    environment = profile.apns_environment
    if environment == "any":
        environment = token.environment
    return reason or Sender(token.key_id, token.topics, environment)


def _known_token(gateway: Gateway, text: str) -> ProviderToken | None:
    """Verify a signature once, then know the token by its text."""
    known = gateway.provider_tokens.get(text)
    if known is None:
        profile, keys = gateway.profile, gateway.registry.apns_keys
        known = read_token(text, keys, any_key=profile.accept_any_credentials)
        if known is not None:
            if len(gateway.provider_tokens) >= _TOKENS_KEPT:
                gateway.provider_tokens.clear()
            gateway.provider_tokens[text] = known
    return known


def _message(headers: Mapping[str, str], body: bytes) -> str:
    """Name the message: the apns-id, else the collapse id, else a hash of the body."""
    name = headers.get("apns-id") or headers.get("apns-collapse-id")
    return name or f"{short_hash(body):016x}"


def _made_id(request: Request, purpose: bytes) -> str:
    """Make an id from the request itself, so that the same request gets the same one."""
    content = f"{request.path}\0{request.header('apns-id')}\0".encode() + request.body
    return str(UUID(bytes=blake2b(content, digest_size=16, key=purpose).digest(), version=4))
