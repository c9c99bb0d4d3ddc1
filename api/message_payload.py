"""What callers send about messages, as strict types."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from api.fields import WHOLE, ExternalId, Moment, Payload, describe_without_null
from delivery.messages.message import NewMessage
from delivery.providers.content import APNS_COLLAPSE_ID_LIMIT_BYTES, is_reserved_data_key

AUDIENCE_LIMIT = 10_000
TTL_LIMIT_SECONDS = 2_419_200  # FCM's four weeks, the shorter of the gateways' limits
RATE_LIMIT_PER_SECOND = 1_000_000.0
DEFAULT_TTL_SECONDS = 86_400

Text = Annotated[str, StringConstraints(max_length=4_096)]
DataKey = Annotated[str, StringConstraints(min_length=1)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
PublicId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_SOME = Field(min_length=1, max_length=AUDIENCE_LIMIT)
PeopleList = Annotated[list[ExternalId], _SOME]
DeviceList = Annotated[list[PublicId], _SOME]
# One push in a thousand seconds is the slowest: a message ends after a day.
Rate = Annotated[float, Field(ge=0.001, le=RATE_LIMIT_PER_SECOND)]

Weight = Annotated[
    int,
    Field(ge=1, le=100, description="Its share of speed beside other messages of the app."),
    WHOLE,
]


class Variant(Payload):
    """Content for every platform, or what one platform has otherwise. Texts are Jinja2."""

    title: Text | None = None
    body: Text | None = None
    subtitle: Text | None = None
    image: Text | None = None
    sound: Annotated[str, StringConstraints(max_length=255)] | None = None
    badge: Annotated[int, Field(ge=0, le=99_999), WHOLE] | None = None
    deep_link: Text | None = None
    data: Annotated[dict[DataKey, Text], Field(max_length=100)] | None = None
    extra: Annotated[dict[str, Any], Field(max_length=50)] | None = Field(
        default=None,
        description="Raw fields of the `aps` dictionary or of AndroidNotification.",
    )

    @field_validator("data")
    @classmethod
    def _no_reserved_key(cls, data: dict[str, str] | None) -> dict[str, str] | None:
        for key in data or {}:
            if is_reserved_data_key(key):
                raise ValueError(f"the key {key!r} is reserved by a gateway")
        return data


class Content(Variant):
    """The content, with overrides by platform."""

    silent: bool = False
    ios: Variant | None = None
    android: Variant | None = None
    web: Variant | None = None

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        variants = [part for part in (self, self.ios, self.android, self.web) if part]
        shown = any(
            part.title or part.body or part.badge is not None or part.data or part.deep_link
            for part in variants
        )
        if not shown:
            raise ValueError("there is nothing to send: give a title, a body, a badge or data")
        return self


def describe_one(schema: dict[str, Any]) -> None:
    """Say in a JSON schema that exactly one property is given, and never as null."""
    schema.update(minProperties=1, maxProperties=1)
    describe_without_null(schema, *schema["properties"])


def _describe_some(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    describe_without_null(schema, *schema["properties"])


def check_one(audience: Payload, words: str) -> None:
    """Raise `ValueError` unless exactly one field is given."""
    given = audience.model_fields_set
    if len(given) != 1 or getattr(audience, next(iter(given))) is None:
        raise ValueError(words)


class Exclusion(Payload):
    """Who does not get it, whatever else is said: a segment, people, or both."""

    segment: PublicId | None = None
    people: PeopleList | None = None

    model_config = ConfigDict(json_schema_extra=_describe_some)

    @model_validator(mode="after")
    def _some(self) -> Self:
        given = self.model_fields_set
        if not given or any(getattr(self, name) is None for name in given):
            raise ValueError("name a segment, people or both")
        return self


class Audience(Payload):
    """Who gets it: exactly one of people, devices, tokens, segment and all."""

    people: PeopleList | None = None
    devices: DeviceList | None = None
    tokens: Annotated[list[Token], _SOME] | None = None
    segment: PublicId | None = None
    all: Literal[True] | None = None

    model_config = ConfigDict(json_schema_extra=describe_one)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        check_one(self, "name exactly one of people, devices, tokens, segment and all")
        return self


def whom(to: Payload, exclude: Exclusion | None) -> dict[str, Any]:
    """Return an audience and who stays out of it, for `campaigns.audience`."""
    left_out = {} if exclude is None else {"exclude": exclude.model_dump(exclude_none=True)}
    return {**to.model_dump(exclude_none=True), **left_out}


def rule_seconds(to: Mapping[str, Any], limit: float) -> float:
    """Return how long an audience may take: only rules have a limit, 0 is none."""
    return limit if "segment" in {*to, *to.get("exclude", ())} else 0.0


class MessagePayload(Payload):
    """A message to send."""

    to: Audience
    exclude: Exclusion | None = None
    content: Content
    lane: Literal["transactional", "campaign"] = "transactional"
    type: Literal["push"] = "push"
    ttl_seconds: Annotated[int, Field(ge=1, le=TTL_LIMIT_SECONDS), WHOLE] = DEFAULT_TTL_SECONDS
    collapse_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    priority: Literal["high", "normal"] = "high"
    policy: Literal["at_most_once", "at_least_once"] | None = Field(
        default=None,
        description="In doubt after a crash. By default at_least_once for transactional "
        "messages and at_most_once for campaigns.",
    )
    rate_per_second: Rate | None = None
    weight: Weight = 1
    send_at: Moment | None = None
    is_test: bool = Field(default=False, description="Left out of the statistics over time.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "to": {"all": True},
                    "content": {
                        "title": "Hello {{ first_name | default('there') }}",
                        "body": "Your first push from Carillon.",
                    },
                }
            ]
        }
    )

    @field_validator("collapse_id")
    @classmethod
    def _fits_apns(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) > APNS_COLLAPSE_ID_LIMIT_BYTES:
            raise ValueError(f"must be at most {APNS_COLLAPSE_ID_LIMIT_BYTES} bytes in UTF-8")
        if value is not None and not value.isprintable():
            raise ValueError("must be printable text")
        return value

    def to_new(self) -> NewMessage:
        """Return what delivery stores; the audience is resolved later."""
        careful = "at_most_once" if self.lane == "campaign" else "at_least_once"
        return NewMessage(
            lane=self.lane,
            type=self.type,
            policy=self.policy or careful,
            content=self.content.model_dump(exclude_none=True),
            audience={},
            ttl_seconds=self.ttl_seconds,
            collapse_id=self.collapse_id,
            priority=self.priority,
            rate_per_second=self.rate_per_second,
            send_at=self.send_at,
            is_test=self.is_test,
            weight=self.weight,
        )


def _describe_change(schema: dict[str, Any]) -> None:
    describe_without_null(schema, "weight")
    schema["examples"] = [{"rate_per_second": 100.0}]


class MessageChange(Payload):
    """What may be changed: `send_at` until sending begins, rate and weight until the end."""

    send_at: Moment | None = None
    rate_per_second: Rate | None = None
    weight: Weight | None = None

    model_config = ConfigDict(json_schema_extra=_describe_change)

    @field_validator("weight")
    @classmethod
    def _some_weight(cls, value: int | None) -> int:
        if value is None:
            raise ValueError("must be a whole number from 1 to 100")
        return value

    @field_validator("rate_per_second")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("must be a finite number")
        return value
