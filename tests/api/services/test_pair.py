"""The embedded pair as a person meets it: started, stopped, killed, kept, crowded."""

from sqlalchemy import Connection, text


def test_the_template_is_migrated(connection: Connection) -> None:
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))

    assert version
