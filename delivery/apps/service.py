"""Making apps: the unit everything belongs to."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from core.ids import new_public_id
from core.secrets import SecretBox, new_secret
from delivery.apps import repository
from delivery.apps.repository import AppRow


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app just made; its identity secret is shown this once."""

    row: AppRow
    identity_secret: str = field(repr=False)


def create_app_row(connection: Connection, box: SecretBox, name: str) -> NewApp:
    """Make an app with a fresh identity secret, stored sealed."""
    secret = new_secret("is")
    row = repository.add(connection, new_public_id("app"), name, box.encrypt(secret.encode()))
    return NewApp(row, secret)


def open_identity_secret(connection: Connection, box: SecretBox, app_id: int) -> bytes:
    """Return the secret under which an app's server signs identities."""
    return box.decrypt(repository.identity_secret(connection, app_id))
