"""A whole platform in one process: real database, real gateways, workers drained on demand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from sqlalchemy import Engine as Database
from sqlalchemy import text

from api.commands.app import create_app as create_first_app
from api.context import open_services
from api.duties import Duties
from api.main import build_app
from api.worker import build_engine
from core.settings import Settings
from tests.fixtures.sandbox import PROJECT, TOPIC, Sandbox
from tests.servers import own_names


@dataclass(slots=True)
class Scene:
    """One app on a fresh platform, with a credential of each provider at the sandbox."""

    settings: Settings
    http: TestClient
    database: Database
    duties: Duties
    sandbox: Sandbox
    app_id: str
    key: str

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Post and return the answer, which must be good."""
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def read(self, message_id: str) -> dict[str, Any]:
        """Read a message."""
        answer = self.http.get(f"/v1/messages/{message_id}")
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def add_people(self, *people: dict[str, Any]) -> None:
        """Store people."""
        self.post("/v1/people/batch", {"people": list(people)})

    def add_device(self, person: str | None, token: str, **fields: Any) -> str:
        """Register a device, Android by FCM unless told otherwise; return its public id."""
        body = {
            "installation_id": f"inst-{token[-24:]}",
            "provider": "fcm",
            "kind": "token",
            "token": token,
            "platform": "android",
            "permission": "granted",
            **fields,
        }
        if person:
            body["person"] = person
        return str(self.post("/v1/devices", body)["id"])

    def add_iphone(self, person: str | None, token: str, **fields: Any) -> str:
        """Register an iPhone by APNs."""
        apns = {"provider": "apns", "kind": "alert", "environment": "production"}
        return self.add_device(person, token, **{**apns, "platform": "ios", **fields})

    def work(self, lane: str = "transactional") -> None:
        """Cut what is due and let one worker of the lane work until nothing is due."""
        self.duties.cut_due()
        self.duties.post_ends()
        engine = build_engine(self.settings, self.database, lane)
        try:
            engine.run(lambda: False)
        finally:
            engine.close()
        self.duties.sweep()

    def work_until(self, done: Callable[[], bool], lane: str = "transactional") -> None:
        """Work until `done`, which must come true within a minute."""
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, "it does not come true"
            self.work(lane)

    def scalar(self, sql: str, **values: Any) -> Any:
        """Return one value from the database."""
        with self.database.connect() as connection:
            return connection.scalar(text(sql), values)

    def run_sql(self, sql: str, **values: Any) -> None:
        """Change the database behind the platform's back: time travel, for example."""
        with self.database.begin() as connection:
            connection.execute(text(sql), values)

    def assert_adds_up(self, message_id: str) -> dict[str, Any]:
        """Check that everybody targeted is in exactly one place; return the message."""
        message = self.read(message_id)
        ledger = self.scalar(
            "SELECT count(*) FROM ledger l JOIN message m ON m.id = l.message_id "
            "WHERE m.public_id = :id",
            id=message_id,
        )
        assert message["targeted"] == sum(message["counts"].values()) + message["open"]
        assert ledger == sum(message["counts"].values())
        return message


def settings_for(urls: tuple[str, str, str], sandbox: Sandbox, **changes: Any) -> Settings:
    """Return the settings of a platform on these servers and gateways."""
    database_url, redis_url, broker_url = urls
    return Settings.model_validate(
        {
            "database_url": database_url,
            "redis_url": redis_url,
            "broker_url": broker_url,
            "secret_keys": Fernet.generate_key().decode(),
            "fcm_url": sandbox.address.url,
            "apns_production_url": sandbox.address.url,
            "apns_development_url": sandbox.address.url,
            "gateway_ca_file": str(sandbox.address.ca),
            # Tests of the ramp set it; the others shall not wait for it.
            "ramp_seconds": 0,
            **own_names(),
            **changes,
        }
    )


# No lease is taken over before the server has run for one, and that of the tests is young.
LEASE_SECONDS = 2.5


def hasty_settings(
    urls: tuple[str, str, str], sandbox: Sandbox, *, retry_floor_seconds: float
) -> Settings:
    """Return the settings of a platform with short leases that waits little for answers."""
    return settings_for(
        urls,
        sandbox,
        lease_seconds=LEASE_SECONDS,
        request_timeout_seconds=1.0,
        lease_margin_seconds=0.1,
        retry_floor_seconds=retry_floor_seconds,
    )


@contextmanager
def open_scene(settings: Settings, sandbox: Sandbox) -> Iterator[Scene]:
    """Yield a scene; the sandbox forgets what it saw before."""
    sandbox.control.default_profile()
    sandbox.control.reset()
    services = open_services(settings)
    made = create_first_app(settings, "Test", operator=True)
    with TestClient(build_app(services), raise_server_exceptions=False) as http:
        http.headers["Authorization"] = f"Bearer {made['key']}"
        duties = Duties(settings, services.engine, services.nudger)
        scene = Scene(
            settings, http, services.engine, duties, sandbox, str(made["app_id"]), str(made["key"])
        )
        add_credentials(scene, scene.app_id)
        yield scene


def add_credentials(scene: Scene, app_id: str) -> None:
    """Store a credential of each provider, as the sandbox knows them."""
    path = f"/v1/apps/{app_id}/credentials"
    account, key = scene.sandbox.account, scene.sandbox.key
    scene.post(
        path,
        {
            "kind": "service_account",
            "name": PROJECT,
            "service_account": account,
        },
    )
    scene.post(
        path,
        {
            "kind": "token",
            "name": TOPIC,
            "p8": key.p8,
            "key_id": key.key_id,
            "team_id": key.team_id,
            "topic": TOPIC,
            "environment": "production",
        },
    )
