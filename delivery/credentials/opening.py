"""From a leased chunk to the provider of its credential, unsealed once per version."""

from collections.abc import Callable
from datetime import datetime

import orjson
from sqlalchemy import Engine

from core.errors import NotFoundError
from core.secrets import SecretBox
from delivery.chunks.chunk import Lease
from delivery.credential import Credential
from delivery.credentials import repository
from delivery.providers.registry import Providers
from delivery.push import Provider


def provider_opener(
    database: Engine, box: SecretBox, providers: Providers
) -> Callable[[Lease], Provider]:
    """Return the function that gives a lease its provider.

    It raises `CarillonError` when the stored secret can not be opened.
    """
    opened: dict[int, tuple[datetime, Credential]] = {}

    def provider_for(lease: Lease) -> Provider:
        version = lease.credential_updated_at
        known = opened.get(lease.credential_id)
        if known is None or known[0] != version:
            ids = lease.message.app_id, lease.credential_id
            found = open_credential(database, box, *ids)
            known = opened[lease.credential_id] = (version, found)
        return providers.for_credential(known[1], version)

    return provider_for


def open_credential(
    database: Engine, box: SecretBox, app_id: int, credential_id: int
) -> Credential:
    """Read and unseal a credential; raises `CarillonError` when it can not be opened."""
    with database.connect() as connection:
        row = repository.find_by_id(connection, app_id, credential_id)
    if row is None:
        raise NotFoundError
    return Credential(
        id=row.id,
        app_id=app_id,
        provider=row.provider,
        kind=row.kind,
        environment=row.environment,
        topic=row.topic,
        project_id=row.project_id,
        secret=orjson.loads(box.decrypt(row.sealed)),
    )
