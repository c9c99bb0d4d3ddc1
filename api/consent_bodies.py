"""Payloads and documents of consents."""

from datetime import datetime
from typing import Any, Self

from pydantic import ConfigDict, model_validator

from api.fields import Document, Payload, describe_without_null
from segments.consents.consent import ConsentKind

CONSENTS = {
    "present": [
        {"kind": "push", "granted": True, "source": None, "at": None},
        {"kind": "analytics", "granted": False, "source": "api", "at": "2026-03-01T12:00:00Z"},
    ],
    "changes": [
        {"kind": "analytics", "granted": False, "source": "api", "at": "2026-03-01T12:00:00Z"}
    ],
}


def _describe_consents(schema: dict[str, Any]) -> None:
    describe_without_null(schema, *ConsentKind)
    schema["examples"] = [{"push": True, "analytics": False}]


class ConsentPayload(Payload):
    """What a person agrees to; what is absent stays as it is."""

    push: bool | None = None
    analytics: bool | None = None

    model_config = ConfigDict(json_schema_extra=_describe_consents)

    @model_validator(mode="after")
    def _nothing_is_null(self) -> Self:
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("a consent is true or false")
        return self


class ConsentDocument(Document):
    """A yes or no. Without a `source` nobody has said it: it is the default of the app."""

    kind: str
    granted: bool
    source: str | None
    at: datetime | None


class ConsentsDocument(Document):
    """What a person agrees to now, and the last 100 changes, the newest first."""

    present: list[ConsentDocument]
    changes: list[ConsentDocument]
