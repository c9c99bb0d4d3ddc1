"""What people agree to: `/v1/people/{external_id}/consents`."""

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from api.answers import Answer
from api.calls import PeopleReadCall
from api.consent_bodies import CONSENTS, ConsentDocument, ConsentsDocument
from api.openapi import answers, problems
from api.people import PathId
from api.route import DoorRoute
from segments.consents import repository as consents
from segments.people import service

router = APIRouter(prefix="/v1/people", tags=["People"], route_class=DoorRoute)


@router.get(
    "/{external_id:path}/consents",
    response_model=ConsentsDocument,
    responses={**answers(CONSENTS), **problems(401, 403, 404)},
)
def read_consents(call: PeopleReadCall, external_id: PathId) -> Response:
    """Read what a person agrees to, and how that came about."""

    def work(connection: Connection) -> Answer:
        person = service.get(connection, call.app.id, external_id)
        found = ConsentsDocument(
            present=[
                ConsentDocument.model_validate(one)
                for one in consents.present(connection, call.app.id, person.id)
            ],
            changes=[
                ConsentDocument.model_validate(one)
                for one in consents.changes(connection, call.app.id, person.id)
            ],
        )
        return Answer(found)

    return call.answer(work)
