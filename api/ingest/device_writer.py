"""Writing registrations and heartbeats of one app together, each with its own answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from api.answers import Ready, to_json
from api.device_documents import to_fields, unknown_person
from api.ingest.writing import write_together
from api.stored_answers import Once, Shelf
from core.errors import CarillonError, InvalidPayloadError
from core.secrets import SecretBox
from delivery.apps.service import open_identity_secret
from delivery.devices import service
from delivery.devices.device import Registration
from delivery.devices.errors import IdentityInvalidError, IdentityMissingError
from delivery.devices.heartbeat import Beat, beat_all
from delivery.devices.identity import is_signed
from delivery.devices.service import Claim
from segments.identity.names import hold_ids


@dataclass(frozen=True, slots=True)
class Registering:
    """One registration as it was asked for; `signature` counts where no server vouches.

    With `once` its answer is stored, and given again to a repetition.
    """

    registration: Registration
    claim: Claim
    app_public_id: str
    person: str | None = None
    signature: str | None = None
    once: Once | None = None


class DeviceWriter:
    """Writes for the devices of one app; runs in a thread."""

    def __init__(self, engine: Engine, box: SecretBox, idempotency_hours: int) -> None:
        self._engine = engine
        self._box = box
        self._shelf = Shelf(box, idempotency_hours)

    def register(self, app_id: int, requests: Sequence[Registering]) -> Sequence[Ready | Exception]:
        """Return the answer to each request, or what was in its way."""

        def work(items: Sequence[Registering]) -> Sequence[Ready | CarillonError]:
            with self._engine.begin() as connection:
                return self._register_once(connection, app_id, items)

        return write_together(work, requests, lambda _item, _error: InvalidPayloadError())

    def beat(self, app_id: int, beats: Sequence[Beat]) -> Sequence[Exception | None]:
        """Return for each heartbeat None, or what was in its way."""

        def work(items: Sequence[Beat]) -> Sequence[CarillonError | None]:
            with self._engine.begin() as connection:
                return beat_all(connection, app_id, items)

        return write_together(work, beats, lambda _item, _error: InvalidPayloadError())

    def _register_once(
        self, connection: Connection, app_id: int, requests: Sequence[Registering]
    ) -> Sequence[Ready | CarillonError]:
        """Register what is new, and store its answers in the same transaction."""
        taken = self._shelf.take(connection, app_id, [one.once for one in requests])
        new = [one for one, before in zip(requests, taken, strict=True) if before is None]
        answers = self._register(connection, app_id, new) if new else []
        self._shelf.keep(
            connection,
            app_id,
            [
                (one.once, answer)
                for one, answer in zip(new, answers, strict=True)
                if one.once is not None and isinstance(answer, Ready)
            ],
        )
        left = iter(answers)
        return [next(left) if before is None else before for before in taken]

    def _register(
        self, connection: Connection, app_id: int, requests: Sequence[Registering]
    ) -> Sequence[Ready | CarillonError]:
        owned = self._with_owners(connection, app_id, requests)
        good = [one for one in owned if not isinstance(one, CarillonError)]
        made = service.register_claimed(connection, app_id, good) if good else []
        devices = [one.device for one in made if not isinstance(one, CarillonError)]
        shown = iter(to_fields(connection, app_id, devices))
        results = iter(
            [
                one if isinstance(one, CarillonError) else _to_answer(next(shown), one.secret)
                for one in made
            ]
        )
        return [one if isinstance(one, CarillonError) else next(results) for one in owned]

    def _with_owners(
        self, connection: Connection, app_id: int, requests: Sequence[Registering]
    ) -> Sequence[tuple[Registration, Claim] | CarillonError]:
        """Return what to register, with the inner ids of people, or what is wrong with a person."""
        named = sorted({one.person for one in requests if one.person is not None})
        ids = hold_ids(connection, app_id, named) if named else {}
        secret: bytes | CarillonError = b""
        if any(one.signature for one in requests if not one.claim.is_server):
            try:
                secret = open_identity_secret(connection, self._box, app_id)
            except CarillonError as error:
                secret = error
        return [_with_owner(one, ids, secret) for one in requests]


def _to_answer(shown: dict[str, Any], secret: str | None) -> Ready:
    """Return what is answered: 201 with the secret to whom it is shown, else 200."""
    if secret is None:
        return Ready(to_json(shown), 200, {})
    return Ready(to_json({**shown, "secret": secret}), 201, {})


def _with_owner(
    request: Registering, ids: dict[str, int], secret: bytes | CarillonError
) -> tuple[Registration, Claim] | CarillonError:
    if request.person is None:
        return request.registration, request.claim
    if not request.claim.is_server:
        if request.signature is None:
            return IdentityMissingError()
        if isinstance(secret, CarillonError):
            return secret
        if not is_signed(secret, request.app_public_id, request.person, request.signature):
            return IdentityInvalidError()
    if request.person not in ids:
        return InvalidPayloadError(fields=(unknown_person(),))
    fields: dict[str, Any] = {**request.registration.fields, "person_id": ids[request.person]}
    known = request.registration
    owned = Registration(known.installation_id, fields, known.target)
    return owned, request.claim
