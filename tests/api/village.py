"""One app with everything in it, so that made-up requests can name what really exists."""

import base64
import itertools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from core.clock import utc_now
from tests.api.doors import AppDoors, Doors, phone

CSV = b"external_id,locale\nada,en-GB\n"


@dataclass(frozen=True, slots=True)
class Village:
    """An app and an operator's key of it, and makers of what lives there."""

    doors: Doors
    app: AppDoors
    key: dict[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)
    known: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """Post as the operator and return the answer."""
        answer: httpx2.Response = self.doors.client.post(path, headers=self.key, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def shared(self, name: str, make: "Callable[[Village], str]") -> str:
        """Return the id that was made under a name, making it at the first time."""
        if name not in self.known:
            self.known[name] = make(self)
        return self.known[name]

    def person(self) -> str:
        """Return the id of a new person."""
        name = f"villager-{next(self.numbers)}"
        self.app.add_person(name, attributes={"first_name": "Ada"})
        return name

    def new_name(self) -> str:
        """Return a name that nobody has."""
        return f"name-{next(self.numbers)}"

    def alias(self) -> str:
        """Return one more name of a new person."""
        body = {"person": self.person(), "alias": self.new_name()}
        return str(self.post("/v1/aliases", body)["alias"])

    def merge(self) -> str:
        """Return the id of a new merge."""
        return str(self.post("/v1/merges", {"into": self.person(), "from": self.person()})["id"])

    def attribute(self) -> str:
        """Return the name of an attribute, which no person who is made later has."""
        self.app.add_person(self.new_name(), attributes={"nickname": "Ada"})
        return "nickname"

    def segment(self) -> str:
        """Return the id of a new segment."""
        rule = {"type": "person", "field": "has_device", "operator": "equals", "value": True}
        return str(self.post("/v1/segments", {"name": self.new_name(), "rule": rule})["id"])

    def static_list(self) -> str:
        """Return the id of a new static list."""
        return str(self.post("/v1/lists", {"name": self.new_name()})["id"])

    def suppression(self) -> str:
        """Return a new name on the suppression list."""
        name = self.new_name()
        self.post("/v1/suppressions", {"people": [name]})
        return name

    def device(self) -> str:
        """Return the id of a new device."""
        return str(self.post("/v1/devices", phone())["id"])

    def token(self) -> str:
        """Return a token that a device holds."""
        body = phone()
        self.post("/v1/devices", body)
        return str(body["token"])

    def fcm_token(self) -> str:
        """Return a token that FCM could have given."""
        return f"d{secrets.token_hex(10)}x:APA91b{secrets.token_hex(20)}"

    def apns_token(self) -> str:
        """Return a token that APNs could have given."""
        return secrets.token_hex(32)

    def key_id(self) -> str:
        """Return the id of a new key."""
        body = {"kind": "server", "name": "Backend", "scopes": ["people:read"]}
        return str(self.post(f"{self.app.path}/keys", body)["id"])

    def credential(self) -> str:
        """Return the id of a new credential."""
        return str(self.post(f"{self.app.path}/credentials", apns_key())["id"])

    def message(self) -> str:
        """Return the id of a message that will be sent tomorrow."""
        later = (utc_now() + timedelta(days=1)).isoformat()
        body = {"to": {"all": True}, "content": {"title": "Later"}, "send_at": later}
        return str(self.post("/v1/messages", body)["id"])

    def delivery(self) -> str:
        """Return the id of a delivery that was suppressed."""
        person = self.person()
        body = {"to": {"people": [person]}, "content": {"title": "Now"}}
        self.post("/v1/messages", body)
        path = f"/v1/deliveries?person={person}"
        answer = self.doors.client.get(path, headers=self.key)
        return str(answer.json()["data"][0]["id"])

    def sent_delivery(self) -> str:
        """Return the id of a delivery that left for a gateway."""
        path = f"/v1/deliveries?message={self.dead_message()}"
        answer = self.doors.client.get(path, headers=self.key)
        return str(answer.json()["data"][0]["id"])

    def dead_message(self) -> str:
        """Return the id of a message that has ended with one dead letter."""
        body = {"to": {"devices": [self.device()]}, "content": {"title": "Now"}}
        message = str(self.post("/v1/messages", body)["id"])
        with self.doors.services.engine.begin() as connection:
            # Where a credential has been made meanwhile, the device waits in a chunk.
            connection.execute(
                text(
                    "WITH taken AS (DELETE FROM chunk c USING message m "
                    "WHERE m.public_id = :message AND c.app_id = m.app_id AND c.message_id = m.id "
                    "RETURNING m.app_id, m.day, m.id, c.device_ids[1] AS device_id, "
                    "c.person_ids[1] AS person_id) "
                    "INSERT INTO ledger (app_id, day, message_id, device_id, person_id, state, "
                    "reason, attempt) SELECT app_id, day, id, device_id, person_id, 'rejected', "
                    "'retries_exhausted', 1 FROM taken"
                ),
                {"message": message},
            )
            connection.execute(
                text(
                    "UPDATE ledger SET state = 'rejected', reason = 'retries_exhausted' "
                    "WHERE message_id = (SELECT id FROM message WHERE public_id = :message)"
                ),
                {"message": message},
            )
            connection.execute(
                text(
                    "UPDATE message SET state = 'finished', finished_at = now() "
                    "WHERE public_id = :message"
                ),
                {"message": message},
            )
        return message

    def import_id(self) -> str:
        """Return the id of a new import."""
        answer = self.doors.client.post(
            "/v1/imports?kind=people",
            headers={**self.key, "Content-Type": "text/csv"},
            content=CSV,
        )
        assert answer.is_success, answer.text
        return str(answer.json()["id"])


def found(doors: Doors) -> Village:
    """Return a new village with one inhabitant."""
    app = doors.new_app()
    village = Village(doors, app, doors.new_key(app.inner_id, "admin", ["admin", "operator"]))
    village.person()
    village.device()
    return village


def service_account() -> dict[str, Any]:
    """Return a credential for FCM that the door accepts."""
    account = {
        "type": "service_account",
        "project_id": "corner-shop",
        "private_key": _rsa_pem(),
        "client_email": "push@corner-shop.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return {"kind": "service_account", "name": "Firebase", "service_account": account}


def apns_key() -> dict[str, Any]:
    """Return a credential for APNs that the door accepts."""
    return {
        "kind": "token",
        "name": "APNs",
        "p8": signing_key(),
        "key_id": "ABC123DEFG",
        "team_id": "DEF123GHIJ",
        "topic": "com.example.shop",
        "environment": "development",
    }


@cache
def signing_key() -> str:
    """Return a .p8 key."""
    return _pem(_ec_key())


@cache
def certificate() -> str:
    """Return a PKCS#12 file in base64; its password is `open`."""
    key, now = _ec_key(), utc_now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Push")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    packed = pkcs12.serialize_key_and_certificates(
        b"push", key, signed, None, BestAvailableEncryption(b"open")
    )
    return base64.b64encode(packed).decode()


@cache
def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _rsa_pem() -> str:
    return _pem(rsa.generate_private_key(public_exponent=65_537, key_size=2_048))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
