"""The real application in this process, and apps with keys to knock on its doors."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict
from starlette.testclient import TestClient

from api.context import Services, open_services
from api.key_service import KeyPlan, create_key
from api.main import build_app
from core.settings import Settings
from delivery.apps.service import create_app_row
from tests.servers import broker_beside, own_names

EVERYTHING = (
    "messages:send",
    "messages:read",
    "devices:write",
    "people:read",
    "people:write",
    "events:write",
    "segments:write",
)
_TEST_KEY = Fernet.generate_key().decode()


def bearer(secret: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {secret}"}


class _WithoutFile(Settings):
    model_config = SettingsConfigDict(env_file=None)


def settings_for(database_url: str, redis_url: str, **values: Any) -> Settings:
    """Return settings that name these servers and no file."""
    given: dict[str, Any] = {
        "database_url": SecretStr(database_url),
        "redis_url": SecretStr(redis_url),
        "broker_url": SecretStr(broker_beside(redis_url)),
        "secret_keys": SecretStr(_TEST_KEY),
        **own_names(),
        **values,
    }
    return _WithoutFile(**given)


@dataclass(frozen=True, slots=True)
class Doors:
    """An HTTP client of the running application, and the services behind it."""

    client: TestClient
    services: Services

    def new_app(self, name: str = "Corner shop", **key: Any) -> "AppDoors":
        """Make an app with an admin key, a server key of all scopes and a client key."""
        with self.services.engine.begin() as connection:
            app = create_app_row(connection, self.services.box, name)
            admin = create_key(connection, KeyPlan(app.row.id, "admin", "admin", ["admin"], **key))
            server = create_key(connection, KeyPlan(app.row.id, "server", "server", EVERYTHING))
            client = create_key(connection, KeyPlan(app.row.id, "client", "client", []))
        return AppDoors(
            client=self.client,
            inner_id=app.row.id,
            id=app.row.public_id,
            identity_secret=app.identity_secret,
            admin=bearer(admin.secret),
            server=bearer(server.secret),
            phone=bearer(client.secret),
        )

    def new_key(
        self, app_id: int | None, kind: str, scopes: Sequence[str] = (), **plan: Any
    ) -> dict[str, str]:
        """Make a key and return its header."""
        with self.services.engine.begin() as connection:
            made = create_key(connection, KeyPlan(app_id, kind, kind, scopes, **plan))
        return bearer(made.secret)

    def operator(self) -> dict[str, str]:
        """Make an operator's key without an app and return its header."""
        return self.new_key(None, "admin", ["admin", "operator"])


@dataclass(frozen=True, slots=True)
class AppDoors:
    """One app and the headers of its keys."""

    client: TestClient
    inner_id: int
    id: str
    identity_secret: str
    admin: dict[str, str]
    server: dict[str, str]
    phone: dict[str, str]

    @property
    def path(self) -> str:
        """The path of the app's own resources."""
        return f"/v1/apps/{self.id}"

    def register(self, **values: Any) -> dict[str, Any]:
        """Register a fresh phone with the client key and return the answer."""
        answer = self.client.post("/v1/devices", headers=self.phone, json=phone(**values))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def add_person(self, external_id: str, **values: Any) -> None:
        """Put a person."""
        answer = self.client.put(f"/v1/people/{external_id}", headers=self.server, json=values)
        assert answer.status_code in {200, 201}, answer.text


def phone(**values: Any) -> dict[str, Any]:
    """Return the payload of a fresh Android phone."""
    return {
        "installation_id": f"phone-{secrets.token_hex(8)}",
        "provider": "fcm",
        "token": f"d{secrets.token_hex(10)}x:APA91b{secrets.token_hex(20)}",
        "platform": "android",
        **values,
    }


@contextmanager
def open_doors(settings: Settings) -> Iterator[Doors]:
    """Run the application over `settings`; an unexpected error is answered, as in production."""
    services = open_services(settings)
    app = build_app(services)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Doors(client, services)


def problem(answer: httpx2.Response, status: int, code: str) -> Mapping[str, Any]:
    """Check that an answer is a whole problem document and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"urn:carillon:error:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.url.path
    assert document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return document


def pointers(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the codes of the faults of a problem by pointer."""
    return {fault["pointer"]: fault["code"] for fault in document["errors"]}
