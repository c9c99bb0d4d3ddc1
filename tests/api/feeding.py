"""What a description can not say: ids that exist, secrets that open, fields that go together.

Only parts of a request that are meant to be valid are touched; what is wrong on purpose stays.
"""

import json
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData

from tests.api.village import CSV, Village, certificate, service_account, signing_key

_IN_PATHS: dict[str, Callable[[Village], str]] = {
    "app_id": lambda village: village.app.id,
    "credential_id": Village.credential,
    "key_id": Village.key_id,
    "message_id": Village.message,
    "device_id": Village.device,
    "external_id": Village.person,
    "import_id": Village.import_id,
    "delivery_id": Village.delivery,
    "merge_id": Village.merge,
    "alias": Village.alias,
    "name": Village.attribute,
    "segment_id": Village.segment,
    "other_id": Village.segment,
    "list_id": Village.static_list,
    "suppressed": Village.suppression,
}
_SHOWN = ("title", "body", "badge", "data", "deep_link")
_CONTENT_BYTES = 3_000
FILES = {
    "POST /v1/imports",
    "PUT /v1/lists/{list_id}/members",
    "POST /v1/lists/{list_id}/members",
}
_WISHES = {"if-match", "if-none-match", "carillon-device-secret", "idempotency-key"}


def register_formats() -> None:
    """Teach schemathesis the formats of ours, and the times the doors take."""
    moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
    schemathesis.openapi.format("iso-3166-1-alpha-2", st.sampled_from(sorted(_countries())))
    schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(available_timezones())))
    schemathesis.openapi.format("date-time", moments.map(lambda one: one.isoformat() + "Z"))


def register_media_types() -> None:
    """Teach schemathesis to send files of lines, which it knows no way to make up."""

    @schemathesis.serializer("application/x-ndjson", "application/gzip")
    def send_as_it_is(_context: schemathesis.SerializationContext, value: Any) -> Any:
        return value if isinstance(value, bytes) else str(value).encode()


def feed(case: "schemathesis.Case[Any]", village: Village) -> None:
    """Exchange what `case` names for what exists in the village."""
    if not _is_spoilt(case, ParameterLocation.PATH):
        for name in case.path_parameters:
            case.path_parameters[name] = _id(case, name, village)
    if not _is_spoilt(case, ParameterLocation.HEADER):
        for name in [name for name in case.headers if name.lower() in _WISHES]:
            del case.headers[name]
        if "Carillon-App" in case.headers:
            case.headers["Carillon-App"] = village.app.id
    if not _is_spoilt(case, ParameterLocation.QUERY):
        _feed_query(case.operation.path, case.query, village)
    if case.operation.label in FILES:
        case.media_type, case.body = "text/csv", CSV
    elif not _is_spoilt(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        body: dict[str, Any] = _storable(case.body)
        _name_places(body)
        feed_body = _BODIES.get(case.operation.label)
        if feed_body:
            feed_body(body, village)
        case.body = body


def _is_spoilt(case: "schemathesis.Case[Any]", location: ParameterLocation) -> bool:
    """Tell whether this part of a request is wrong on purpose."""
    meta = case.meta
    if meta is None or meta.generation.mode.is_positive:
        return False
    if isinstance(meta.phase.data, CoveragePhaseData):
        return meta.phase.data.parameter_location is location
    return meta.is_negative_at(location)


def _id(case: "schemathesis.Case[Any]", name: str, village: Village) -> str:
    make = _IN_PATHS[name]
    ends = case.method == "DELETE" or case.operation.path.endswith(("/cancel", "/rotate", "/undo"))
    return make(village) if ends else village.shared(name, make)


def _storable(value: Any) -> Any:
    """Leave out what the description forbids in words only: U+0000, and numbers over 64 bits."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not value.is_integer():
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return 1 if is_number and not -(2**63) <= value < 2**63 else value


def _feed_query(path: str, query: MutableMapping[str, Any], village: Village) -> None:
    for name, value in list(query.items()):
        if isinstance(value, str) and "\0" in value:
            query[name] = _storable(value) or "x"
    if path.startswith("/v1/segments/{segment_id}/"):
        # The past is kept for a time.
        query.pop("at", None)
    if "person" in query:
        query["person"] = village.person()
    if query.get("message") is not None:
        query["message"] = village.shared("message_id", Village.message)
    if path == "/v1/deliveries":
        # Exactly one filter, which a description can not say; and no cursor of another list.
        for name in ("token", "message", "cursor"):
            query.pop(name, None)
        query["person"] = village.person()
    if path == "/v1/imports" and "kind" in query:
        # The file is one of people; only of them an empty cell can clear something.
        query["kind"] = "people"
    if path == "/v1/stats/deliveries":
        # The product of both is limited.
        query["bucket_seconds"] = 86_400


def _name_places(body: dict[str, Any]) -> None:
    """Keep to real places: schemathesis also tries words that it finds in the code."""
    if body.get("time_zone") is not None and body["time_zone"] not in available_timezones():
        body["time_zone"] = "Europe/Berlin"
    if body.get("country") is not None and body["country"] not in _countries():
        body["country"] = "DE"


@cache
def _countries() -> frozenset[str]:
    lines = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8").splitlines()
    return frozenset(line[:2] for line in lines if not line.startswith("#"))


def _credential(body: dict[str, Any], village: Village) -> None:
    if body["kind"] == "service_account":
        body["service_account"] = service_account()["service_account"]
    elif body["kind"] == "token":
        body["p8"] = signing_key()
    else:
        body.update(p12=certificate(), password="open", topic="com.example.shop")
        body["environment"] = "production"


def _app(body: dict[str, Any], village: Village) -> None:
    """Let nobody refuse by default: the app is the one of all other doors, too."""
    defaults = body.get("consent_defaults")
    if isinstance(defaults, dict):
        body["consent_defaults"] = dict.fromkeys(defaults, True)


def _key(body: dict[str, Any], village: Village) -> None:
    if body.get("expires_at"):
        body["expires_at"] = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def _device(body: dict[str, Any], village: Village) -> None:
    """Make provider, kind, token and place go together."""
    if body.get("person") is not None:
        body["person"] = village.person()
    if not {"provider", "token", "fid", "kind", "environment", "topic"} & body.keys():
        return
    for name in ("kind", "fid"):
        body.pop(name, None)
    if body.get("provider") == "apns":
        body["token"] = village.apns_token()
        return
    body["provider"] = "fcm"
    body["token"] = village.fcm_token()
    for name in ("environment", "topic"):
        body.pop(name, None)


def _bind(body: dict[str, Any], village: Village) -> None:
    body["person"] = village.person()


def _alias(body: dict[str, Any], village: Village) -> None:
    body |= {"person": village.person(), "alias": village.new_name()}


def _identify(body: dict[str, Any], village: Village) -> None:
    body |= {"person": village.person(), "anonymous": village.new_name()}


def _merge(body: dict[str, Any], village: Village) -> None:
    body |= {"into": village.person(), "from": village.person()}


def _lookup(body: dict[str, Any], village: Village) -> None:
    body["token"] = village.token()


def _audience(to: dict[str, Any], village: Village) -> None:
    if "people" in to:
        to["people"] = [village.person()]
    elif "devices" in to:
        to["devices"] = [village.device()]
    elif "tokens" in to:
        to["tokens"] = [village.token()]
    elif "segment" in to:
        to["segment"] = village.shared("segment_id", Village.segment)


def _content(content: dict[str, Any]) -> None:
    """Show something, and weigh no more than a gateway takes: many texts can not all be long."""
    if len(json.dumps(content)) > _CONTENT_BYTES:
        content.clear()
    if not any(content.get(name) for name in _SHOWN):
        content["title"] = "Hello"


def _message(body: dict[str, Any], village: Village) -> None:
    _audience(body["to"], village)
    _exclude(body, village)
    _content(body["content"])
    if body.get("collapse_id") is not None:
        # It is limited in bytes, and must be printable.
        body["collapse_id"] = "news"


def _exclude(body: dict[str, Any], village: Village) -> None:
    if body.get("exclude") is not None:
        body["exclude"] = {"segment": village.shared("segment_id", Village.segment)}


def _count(body: dict[str, Any], village: Village) -> None:
    _audience(body["to"], village)
    _exclude(body, village)


def _replay(body: dict[str, Any], village: Village) -> None:
    body.clear()
    body["message"] = village.dead_message()


def _events(body: dict[str, Any], _village: Village) -> None:
    # Without a clock to correct, half of the times that can be written lie in the future.
    for one in body.get("events", [body]):
        one.pop("at", None)


def _receipts(body: dict[str, Any], village: Village) -> None:
    for one in body.get("receipts", [body]):
        one["delivery_id"] = village.shared("sent", Village.sent_delivery)


def _rule(body: dict[str, Any], village: Village) -> None:
    # Whole rules can be made up, but few of them could be answered: ids, patterns, dates.
    body["rule"] = {"type": "attribute", "name": "first_name", "operator": "exists"}
    body.pop("at", None)
    if "person" in body:
        body["person"] = village.person()


def _preview(body: dict[str, Any], village: Village) -> None:
    _content(body["content"])
    if body.get("person") is not None:
        body["person"] = village.person()
        body.pop("attributes", None)


_BODIES: dict[str, Callable[[dict[str, Any], Village], None]] = {
    "PATCH /v1/apps/{app_id}": _app,
    "POST /v1/apps/{app_id}/credentials": _credential,
    "POST /v1/apps/{app_id}/keys": _key,
    "POST /v1/aliases": _alias,
    "POST /v1/identify": _identify,
    "POST /v1/merges": _merge,
    "POST /v1/devices": _device,
    "PATCH /v1/devices/{device_id}": _device,
    "POST /v1/devices/{device_id}/bind": _bind,
    "POST /v1/devices/lookup": _lookup,
    "POST /v1/events": _events,
    "POST /v1/receipts": _receipts,
    "POST /v1/dead-letters/replay": _replay,
    "POST /v1/messages": _message,
    "POST /v1/messages/count": _count,
    "POST /v1/messages/forecast": _count,
    "POST /v1/messages/preview": _preview,
    "POST /v1/segments": _rule,
    "POST /v1/segments/count": _rule,
    "POST /v1/segments/sample": _rule,
    "POST /v1/segments/explain": _rule,
    "PUT /v1/segments/{segment_id}": _rule,
}
