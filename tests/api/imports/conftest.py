"""Apps to import into, on the real database of this run."""

import secrets

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from core.secrets import SecretBox
from delivery.apps.service import create_app_row
from tests.api.doors import settings_for
from tests.api.imports.files import Shop


@pytest.fixture
def shop(engine: Engine, database_url: str, redis_url: str) -> Shop:
    """A fresh app; slices are small, so that every test crosses their borders."""
    return _open(engine, database_url, redis_url)


@pytest.fixture
def twin(engine: Engine, database_url: str, redis_url: str) -> Shop:
    """Another app, to compare end states with."""
    return _open(engine, database_url, redis_url)


def _open(engine: Engine, database_url: str, redis_url: str) -> Shop:
    box = SecretBox([Fernet.generate_key().decode()])
    with engine.begin() as connection:
        app = create_app_row(connection, box, f"Shop {secrets.token_hex(4)}")
    settings = settings_for(database_url, redis_url, import_slice_lines=100)
    return Shop(engine, settings, app.row.id)
