"""Provider credentials: checked at the door, stored sealed, never shown again."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
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
from tests.api.doors import AppDoors, Doors, open_doors, pointers, problem, settings_for
from tests.delivery.providers.pkcs12_files import make_huge_file

_PRODUCTION = x509.ObjectIdentifier("1.2.840.113635.100.6.3.2")


@cache
def _rsa_pem() -> str:
    return _pem(rsa.generate_private_key(public_exponent=65_537, key_size=2_048))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _account(**change: Any) -> dict[str, Any]:
    account = {
        "type": "service_account",
        "project_id": "corner-shop",
        "private_key": _rsa_pem(),
        "client_email": "push@corner-shop.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return {"kind": "service_account", "name": "Firebase", "service_account": account | change}


def _token(**change: Any) -> dict[str, Any]:
    return {
        "kind": "token",
        "name": "APNs",
        "p8": _pem(ec.generate_private_key(ec.SECP256R1())),
        "key_id": "ABC123DEFG",
        "team_id": "DEF123GHIJ",
        "topic": "com.example.shop",
        "environment": "development",
        **change,
    }


def _certificate(days: int = 30, *, is_marked: bool = True) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "Push")]
    if is_marked:
        names.append(x509.NameAttribute(NameOID.USER_ID, "com.example.shop"))
    name = x509.Name(names)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=90))
        .not_valid_after(utc_now() + timedelta(days=days))
    )
    if is_marked:
        mark = x509.UnrecognizedExtension(_PRODUCTION, b"\x05\x00")
        builder = builder.add_extension(mark, critical=False)
    file = pkcs12.serialize_key_and_certificates(
        b"push", key, builder.sign(key, hashes.SHA256()), None, BestAvailableEncryption(b"pass")
    )
    text = base64.b64encode(file).decode()
    return {"kind": "certificate", "name": "Cert", "p12": text, "password": "pass"}


def _huge() -> str:
    return base64.b64encode(make_huge_file()).decode()


_KINDS: list[tuple[Callable[[], dict[str, Any]], dict[str, Any]]] = [
    (_account, {"provider": "fcm", "project_id": "corner-shop", "environment": None}),
    (
        _token,
        {
            "provider": "apns",
            "topic": "com.example.shop",
            "environment": "development",
            "key_id": "ABC123DEFG",
            "team_id": "DEF123GHIJ",
        },
    ),
    (
        _certificate,
        {"provider": "apns", "topic": "com.example.shop", "environment": "production"},
    ),
]


@pytest.mark.parametrize(("make", "facts"), _KINDS, ids=["account", "token", "certificate"])
def test_a_credential_shows_its_facts_and_never_its_secret(
    doors: Doors, app: AppDoors, make: Callable[[], dict[str, Any]], facts: dict[str, Any]
) -> None:
    body = make()
    made = app.client.post(f"{app.path}/credentials", headers=app.admin, json=body)

    assert made.status_code == 201, made.text
    document = made.json()
    assert {**document, **facts, "kind": body["kind"], "state": "active"} == document
    path = f"{app.path}/credentials"
    listed = app.client.get(path, headers=app.admin)
    read = app.client.get(f"{path}/{document['id']}", headers=app.admin)
    assert listed.json()["data"] == [read.json()] == [document]
    for answer in (made, listed, read):
        assert "PRIVATE KEY" not in answer.text
        assert body.get("p12", "PRIVATE KEY") not in answer.text
    sealed = _sealed(doors, document["id"])
    assert b"PRIVATE KEY" not in sealed
    secret = json.loads(doors.services.box.decrypt(sealed))
    assert secret == body.get("service_account", {k: body[k] for k in secret if k in body})


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"/kind": "invalid_value"}),
        ({"kind": "carrier-pigeon"}, {"/kind": "invalid_value"}),
        (_account(private_key="nonsense"), {"/service_account/private_key": "invalid"}),
        (_account(project_id=7), {"/service_account/project_id": "missing"}),
        (_account(token_uri="http://127.0.0.1/"), {"/service_account/token_uri": "invalid"}),
        (_account(token_uri="https://evil.example/t"), {"/service_account/token_uri": "invalid"}),
        (
            _account(token_uri="https://oauth2.googleapis.com.evil.example/t"),
            {"/service_account/token_uri": "invalid"},
        ),
        (_account(token_uri="https://[::1/"), {"/service_account/token_uri": "invalid"}),
        (_token(p8="nonsense"), {"/p8": "invalid"}),
        (_token(p8=_rsa_pem()), {"/p8": "invalid"}),
        (_token(p8=_pem(ec.generate_private_key(ec.SECP384R1()))), {"/p8": "invalid"}),
        (_token(key_id="short"), {"/key_id": "invalid_value"}),
        (_token(environment="staging"), {"/environment": "invalid_value"}),
        (_token(topic="with space"), {"/topic": "invalid_value"}),
        (_token(quota_per_minute=0), {"/quota_per_minute": "out_of_range"}),
        (_certificate() | {"password": "other"}, {"/p12": "invalid"}),
        (_certificate() | {"p12": "%%%"}, {"/p12": "invalid"}),
        (_certificate() | {"p12": "AAAA"}, {"/p12": "invalid"}),
        (_certificate() | {"p12": _huge()}, {"/p12": "invalid"}),
        (_certificate(days=-1), {"/p12": "invalid"}),
        (_certificate(is_marked=False), {"/topic": "missing", "/environment": "missing"}),
    ],
)
def test_a_credential_that_can_not_work_is_refused(
    app: AppDoors, body: dict[str, Any], faults: dict[str, str]
) -> None:
    answer = app.client.post(f"{app.path}/credentials", headers=app.admin, json=body)

    assert pointers(problem(answer, 422, "invalid_payload")) == faults
    assert app.client.get(f"{app.path}/credentials", headers=app.admin).json()["data"] == []


def test_staging_refuses_production_unless_told_otherwise(
    database_url: str, redis_url: str
) -> None:
    def answers(**values: Any) -> list[int]:
        settings = settings_for(database_url, redis_url, environment="staging", **values)
        with open_doors(settings) as doors:
            app = doors.new_app()
            return [
                doors.client.post(
                    f"{app.path}/credentials", headers=app.admin, json=_token(environment=where)
                ).status_code
                for where in ("production", "development")
            ]

    assert answers() == [422, 201]
    assert answers(allow_production_in_staging=True) == [201, 201]


def test_a_gateway_elsewhere_may_have_its_own_token_address(
    database_url: str, redis_url: str
) -> None:
    settings = settings_for(database_url, redis_url, fcm_url="https://127.0.0.1:9")
    with open_doors(settings) as doors:
        app = doors.new_app()
        body = _account(token_uri="https://127.0.0.1:9/token")
        made = doors.client.post(f"{app.path}/credentials", headers=app.admin, json=body)

    assert made.status_code == 201


def test_name_and_quota_change_and_null_clears_the_quota(app: AppDoors) -> None:
    path = f"{app.path}/credentials/{_make(app)}"

    changed = app.client.patch(
        path, headers=app.admin, json={"name": "New", "quota_per_minute": 60}
    ).json()
    cleared = app.client.patch(path, headers=app.admin, json={"quota_per_minute": None}).json()

    assert (changed["name"], changed["quota_per_minute"]) == ("New", 60)
    assert (cleared["name"], cleared["quota_per_minute"]) == ("New", None)
    refused = app.client.patch(path, headers=app.admin, json={"name": None})
    assert pointers(problem(refused, 422, "invalid_payload")) == {"/name": "wrong_type"}


def test_a_paused_credential_resumes(doors: Doors, app: AppDoors) -> None:
    credential = _make(app)
    with doors.services.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE credential SET state = 'paused', reason = 'bad_key', reason_text = 'Why' "
                "WHERE public_id = :id"
            ),
            {"id": credential},
        )
    path = f"{app.path}/credentials/{credential}"
    assert app.client.get(path, headers=app.admin).json()["reason_text"] == "Why"

    resumed = app.client.post(f"{path}/resume", headers=app.admin, json={"force": True}).json()

    assert (resumed["state"], resumed["reason"], resumed["reason_text"]) == ("active", None, None)


def test_a_retired_credential_stays_readable_and_can_not_come_back(app: AppDoors) -> None:
    path = f"{app.path}/credentials/{_make(app)}"

    assert app.client.delete(path, headers=app.admin).status_code == 204

    assert app.client.get(path, headers=app.admin).json()["state"] == "retired"
    assert app.client.get(f"{app.path}/credentials", headers=app.admin).json()["data"] == []
    for answer in (
        app.client.delete(path, headers=app.admin),
        app.client.patch(path, headers=app.admin, json={"name": "x"}),
        app.client.post(f"{path}/resume", headers=app.admin),
    ):
        problem(answer, 409, "conflict")


def test_a_credential_of_another_app_is_not_found(doors: Doors, app: AppDoors) -> None:
    other = doors.new_app()
    path = f"{app.path}/credentials/{_make(other)}"

    for answer in (
        app.client.get(path, headers=app.admin),
        app.client.patch(path, headers=app.admin, json={"name": "x"}),
        app.client.post(f"{path}/resume", headers=app.admin),
        app.client.delete(path, headers=app.admin),
    ):
        problem(answer, 404, "not_found")


def _make(app: AppDoors) -> str:
    made = app.client.post(f"{app.path}/credentials", headers=app.admin, json=_token())
    return str(made.json()["id"])


def _sealed(doors: Doors, public_id: str) -> bytes:
    statement = text("SELECT sealed FROM credential WHERE public_id = :id")
    with doors.services.engine.connect() as connection:
        return bytes(connection.execute(statement, {"id": public_id}).scalar_one())
