"""The control API: plain JSON under /control/, to look into the sandbox and to steer it."""

from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

import orjson

from delivery.sandbox.answer import Answer, Request, json_answer
from delivery.sandbox.gateway import Gateway
from delivery.sandbox.outcomes import OUTCOMES
from delivery.sandbox.profile import Profile, ProfileError, change_profile
from delivery.sandbox.registry import CredentialError

_PAGE = 10_000


class ControlError(ValueError):
    """The request to the control API can not be read."""


def answer_control(gateway: Gateway, request: Request) -> Answer:
    """Answer one request to the control API."""
    methods = _ROUTES.get(request.path.removeprefix("/control/"))
    if methods is None:
        return json_answer(404, "control", {"error": "no such path"})
    handler = methods.get(request.method)
    if handler is None:
        return json_answer(405, "control", {"error": f"use {' or '.join(methods)}"})
    try:
        return json_answer(200, "control", handler(gateway, request))
    except (ControlError, ProfileError, CredentialError) as error:
        return json_answer(400, "control", {"error": str(error)})


def _stats(gateway: Gateway, _request: Request) -> Any:
    open_now = len(gateway.connections)
    delayed = gateway.devices.delayed
    return {**gateway.record.stats(), "open_connections": open_now, "collapsible_delayed": delayed}


def _accepted(gateway: Gateway, request: Request) -> Any:
    """Return a page of accepted pushes; ``next`` is the position to go on from."""
    query = _query(request)
    after, limit = _number(query, "after", 0), _number(query, "limit", _PAGE)
    matching = (
        line
        for line in gateway.record.read_accepted(after)
        if query.get("message", line[3]) == line[3] and query.get("provider", line[1]) == line[1]
    )
    page = list(islice(matching, max(1, limit)))
    pairs = [
        {"provider": provider, "token": token, "message": message}
        for _, provider, token, message in page
    ]
    return {"accepted": pairs, "next": page[-1][0] if len(page) == limit else None}


def _pairs(gateway: Gateway, _request: Request) -> Any:
    """Return the hash of every accepted (token, message), whatever else is kept of it."""
    return {"pairs": list(gateway.record.pairs)}


def _seconds(gateway: Gateway, _request: Request) -> Any:
    rows = sorted(gateway.record.seconds.items())
    return {"seconds": [[second, status, count] for (second, status), count in rows]}


def _arrivals(gateway: Gateway, request: Request) -> Any:
    """Return a page of the arrivals of timed tokens; ``next`` is the position to go on from."""
    after = max(0, _number(_query(request), "after", 0))
    page = gateway.record.arrivals[after : after + _PAGE]
    found = [{"token": token, "message": message, "at": at} for token, message, at in page]
    return {"arrivals": found, "next": after + _PAGE if len(page) == _PAGE else None}


def _reset(gateway: Gateway, _request: Request) -> Any:
    gateway.reset()
    return {}


def _profile(gateway: Gateway, _request: Request) -> Any:
    return asdict(gateway.profile)


def _change_profile(gateway: Gateway, request: Request) -> Any:
    """Replace the fields that are given; with ``"reset": true`` the others become defaults."""
    changes = _object(request)
    start = Profile() if changes.pop("reset", False) else gateway.profile
    changed = change_profile(start, changes)
    if changed.accept_any_credentials != gateway.profile.accept_any_credentials:
        gateway.provider_tokens.clear()
    gateway.profile = changed
    return asdict(changed)


def _credentials(gateway: Gateway, _request: Request) -> Any:
    return gateway.registry.listing()


def _add_credential(gateway: Gateway, request: Request) -> Any:
    gateway.registry.add(_object(request))
    gateway.provider_tokens.clear()
    return gateway.registry.listing()


def _remove_credential(gateway: Gateway, request: Request) -> Any:
    key_id = str(_object(request).get("key_id", ""))
    if not gateway.registry.remove(key_id):
        raise ControlError(f"no key {key_id!r}")
    gateway.provider_tokens.clear()
    return gateway.registry.listing()


def _revoke_access_tokens(gateway: Gateway, _request: Request) -> Any:
    return {"revoked": gateway.access_tokens.revoke_all()}


def _outcomes(_gateway: Gateway, _request: Request) -> Any:
    return [
        {
            "name": one.name,
            "code": f"{one.code:02x}",
            "apns": one.fits("apns"),
            "fcm": one.fits("fcm"),
        }
        for one in OUTCOMES.values()
    ]


def _query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.query).items()}


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, str(default)))
    except ValueError as error:
        raise ControlError(f"{name} is a whole number") from error


def _object(request: Request) -> dict[str, Any]:
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ControlError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ControlError("the body is a JSON object")
    return value


_ROUTES: dict[str, dict[str, Callable[[Gateway, Request], Any]]] = {
    "stats": {"GET": _stats},
    "accepted": {"GET": _accepted},
    "pairs": {"GET": _pairs},
    "seconds": {"GET": _seconds},
    "arrivals": {"GET": _arrivals},
    "reset": {"POST": _reset},
    "profile": {"GET": _profile, "POST": _change_profile},
    "credentials": {
        "GET": _credentials,
        "POST": _add_credential,
        "DELETE": _remove_credential,
    },
    "oauth/revoke": {"POST": _revoke_access_tokens},
    "outcomes": {"GET": _outcomes},
}
