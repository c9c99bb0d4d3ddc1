"""Apps: `/v1/apps`."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy import Connection
from starlette.responses import Response

from api import audit
from api.answers import Answer
from api.calls import AdminCall, AppAdminCall, OperatorCall
from api.conditions import IF_MATCH, IF_NONE_MATCH, ONCE
from api.errors import ForbiddenScopeError
from api.etags import require_match
from api.fields import (
    FIRST_PAGE,
    WHOLE,
    Cursor,
    Document,
    Limit,
    Name,
    Page,
    Payload,
    describe_without_null,
)
from api.idempotency import run_once
from api.openapi import answers, problems, unchanged
from api.route import DoorRoute
from delivery.apps import repository, service
from delivery.apps.repository import AppRow

router = APIRouter(prefix="/v1/apps", tags=["Apps"], route_class=DoorRoute)

_APP = {
    "id": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "name": "Corner shop",
    "weight": 1,
    "consent_defaults": {"push": True, "analytics": True},
    "created_at": "2026-03-01T12:00:00Z",
}
_CREATED = {**_APP, "identity_secret": "is_2bFzq0y0m1VJ3o5hT9wUu8xK4rN6sPdQeWcYaLgHiJk"}


class AppPayload(Payload):
    """A new app."""

    name: Name

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Corner shop"}]})


class ConsentDefaults(Payload):
    """What holds for people who have said neither yes nor no."""

    push: bool
    analytics: bool


def _describe_patch(schema: dict[str, Any]) -> None:
    describe_without_null(schema, "name", "weight", "consent_defaults")
    schema["examples"] = [{"name": "Corner shop"}]


class AppPatch(Payload):
    """What may be changed about an app. Only an operator may change its weight."""

    name: Name | None = None
    weight: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    consent_defaults: ConsentDefaults | None = None

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    @model_validator(mode="after")
    def _nothing_is_null(self) -> Self:
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("neither the name, the weight nor the defaults can be null")
        return self


class AppDocument(Document):
    """An app. `weight` is its share of the workers' speed beside other apps."""

    id: str
    name: str
    weight: int
    consent_defaults: ConsentDefaults
    created_at: datetime


class CreatedApp(AppDocument):
    """An app just made. `identity_secret` signs who a device belongs to; it is shown this once."""

    identity_secret: str


class AppPage(Page):
    """Apps in the order they were made."""

    data: list[AppDocument]


def to_document(row: AppRow) -> AppDocument:
    """Return an app as the outside sees it."""
    defaults = ConsentDefaults(push=row.push_by_default, analytics=row.analytics_by_default)
    return AppDocument(
        id=row.public_id,
        name=row.name,
        weight=row.weight,
        consent_defaults=defaults,
        created_at=row.created_at,
    )


@router.post(
    "",
    status_code=201,
    response_model=CreatedApp,
    dependencies=[ONCE],
    responses={**answers(_CREATED, status=201), **problems(401, 403, 409, 422)},
)
def create_app(call: OperatorCall, body: AppPayload) -> Response:
    """Make an app. Needs an operator's key; the first `./carillon app create` prints one."""

    def work(connection: Connection) -> Answer:
        made = service.create_app_row(connection, call.services.box, body.name)
        audit.record(
            connection, call.principal, "app.created", made.row.public_id, {"name": body.name}
        )
        created = CreatedApp(
            **to_document(made.row).model_dump(), identity_secret=made.identity_secret
        )
        return Answer(created, status=201)

    return run_once(call, work)


@router.get(
    "",
    response_model=AppPage,
    responses={**answers({"data": [_APP], "next_cursor": None}), **problems(401, 403, 422)},
)
def list_apps(
    call: AdminCall,
    limit: Annotated[Limit, Query()] = 50,
    cursor: Annotated[Cursor, Query()] = FIRST_PAGE,
) -> Response:
    """List the apps this key reaches: all for an operator, else its own."""

    def work(connection: Connection) -> Answer:
        if call.principal.is_operator:
            rows = repository.list_after(connection, cursor, limit + 1)
        else:
            rows = [repository.find(connection, call.app.id)]
        page = AppPage.cut(rows, limit, data=[to_document(row) for row in rows[:limit]])
        return Answer(page)

    return call.answer(work)


@router.get(
    "/{app_id}",  # noqa: FAST003  AppAdminCall takes it.
    response_model=AppDocument,
    dependencies=[IF_NONE_MATCH],
    responses={**answers(_APP), **unchanged(), **problems(401, 403, 404)},
)
def read_app(call: AppAdminCall) -> Response:
    """Read one app."""
    return call.answer(
        lambda connection: Answer(to_document(repository.find(connection, call.app.id)))
    )


@router.patch(
    "/{app_id}",  # noqa: FAST003  AppAdminCall takes it.
    response_model=AppDocument,
    dependencies=[IF_MATCH],
    responses={**answers(_APP), **problems(401, 403, 404, 412)},
)
def change_app(call: AppAdminCall, body: AppPatch) -> Response:
    """Change the name, the defaults of consents, or the weight that an operator gives the app."""
    values = body.model_dump(exclude_unset=True)
    defaults = values.pop("consent_defaults", {})
    values |= {f"{kind}_by_default": granted for kind, granted in defaults.items()}
    if "weight" in values and not call.principal.is_operator:
        raise ForbiddenScopeError("Only an operator's key may change the weight of an app.")

    def work(connection: Connection) -> Answer:
        if call.if_match is not None:
            require_match(call.if_match, to_document(repository.find(connection, call.app.id)))
        if not values:
            return Answer(to_document(repository.find(connection, call.app.id)))
        row = repository.change(connection, call.app.id, values)
        audit.record(connection, call.principal, "app.changed", row.public_id, values)
        return Answer(to_document(row))

    return call.answer(work)
